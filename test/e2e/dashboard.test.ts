// The dashboard in a real browser: what it shows is what phones did, by keyboard alone, to a screen reader, dark and light.

import { writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AdminFixture, startAdmin } from '../support/admin-server.ts';
import { removeDirectories } from '../support/aorta-process.ts';
import { CHROMIUM, Chromium } from '../support/chromium.ts';
import type { SipClient } from '../support/sip-client.ts';

if (CHROMIUM === undefined) console.warn('dashboard tests are skipped: no chromium (apt-get install chromium)');

describe.skipIf(CHROMIUM === undefined)('the dashboard', () => {
  let admin: AdminFixture;
  let phone: SipClient;
  let browser: Chromium;

  beforeAll(async () => {
    admin = await startAdmin({ shards: 2 });
    phone = await admin.client();
    browser = new Chromium();
    await register('alice');
    await register('bob');
    await phone.request(phone.register({ aor: 'eve@example.com', contacts: ['<sip:eve@127.0.0.1>;expires=5'] }));
  });
  afterAll(async () => {
    await browser.close();
    await admin.stop();
    removeDirectories();
  });

  const register = (user: string) =>
    phone.request(phone.register({ aor: `${user}@example.com`, contacts: [`<sip:${user}@127.0.0.1:5070>`] }));
  const text = (id: string) => `document.getElementById('${id}').innerText`;
  /** A picture for whoever wants to look: SCREENSHOTS names a directory. */
  const picture = async (name: string) => {
    const directory = process.env.SCREENSHOTS;
    if (directory !== undefined) writeFileSync(`${directory}/${name}.png`, await browser.screenshot());
  };

  it('shows numbers, refusals, shards and bindings as they are', async () => {
    await browser.open(admin.url, { dark: true });
    await browser.until(`${text('state')} === 'ready' && ${text('tiles')}.includes('Bindings')`);
    await browser.until(`/Bindings\\s+2/.test(${text('tiles')}) && /interval too brief/.test(${text('refusals')})`);
    await browser.until(`/udp\\s+2/.test(${text('transports')}) && /example.com\\s+2/.test(${text('domains')})`);
    expect(await browser.value<number>("document.querySelectorAll('#shards tbody tr').length")).toBe(2);
    expect(await browser.value<number>("document.querySelectorAll('figure svg path').length")).toBe(5);
    await picture('dark');
    await browser.open(admin.url);
    await browser.until(`/Bindings\\s+2/.test(${text('tiles')})`);
    const colour = await browser.value<string>('getComputedStyle(document.body).backgroundColor');
    expect(colour).toBe('rgb(247, 248, 250)');
    await picture('light');
  });

  it("shows the API's document, with nothing from elsewhere", async () => {
    await browser.open(`${admin.url}/docs`);
    await browser.until("document.querySelectorAll('.opblock').length > 30");
    const loaded = await browser.value<string[]>("performance.getEntriesByType('resource').map(({ name }) => name)");
    expect(loaded.filter((url) => !url.startsWith(admin.url) && !url.startsWith('data:'))).toEqual([]);
    expect(loaded).toContain(`${admin.url}/openapi.json`);
    await picture('docs');
  });

  it('finds an address and follows changes by keyboard alone', async () => {
    await browser.open(admin.url);
    await browser.press('Tab'); // the skip link
    await browser.press('Enter');
    await browser.press('Tab');
    await browser.until("document.activeElement.id === 'search' || document.activeElement.closest('search') !== null");
    await browser.value("document.getElementById('search').focus()");
    await browser.type('alice@example.com');
    await browser.press('Enter');
    await browser.until(`${text('contacts')}.includes('sip:alice@127.0.0.1:5070')`);
    expect(await browser.value<string>('document.activeElement.id')).toBe('aor-name');
    await browser.value("document.getElementById('feed-button').focus()");
    await browser.press(' ');
    await browser.until(`${text('feed-note')} === 'Following.'`);
    await register('alice');
    await browser.until(`/refreshed\\s+alice@example.com/.test(${text('feed')})`);
    await browser.value("document.getElementById('search').focus()");
    await browser.press('Enter');
    await browser.until(`/registered\\s+sip:alice@127.0.0.1:5070\\s+client\\s+udp 127.0.0.1/.test(${text('history')})`);
    await picture('search');
  });

  it('finds a part of an address', async () => {
    await browser.open(admin.url);
    await browser.value("document.getElementById('search').focus()");
    await browser.type('bo');
    await browser.press('Enter');
    await browser.until(`${text('found')}.includes('bob@example.com (1)')`);
  });

  it('has a name for everything a screen reader meets', async () => {
    await browser.until(`document.querySelector('figure svg') !== null`);
    const nodes = await browser.accessible();
    for (const role of ['button', 'searchbox', 'img', 'table', 'link', 'heading'])
      expect(nodes.filter((node) => node === `${role}: `)).toEqual([]);
    expect(nodes).toContain('searchbox: Address, or a part of one');
    expect(nodes).toContainEqual(expect.stringMatching(/^(img|image): now: accepted/));
  });

  it('asks for the token where one is needed', async () => {
    const other = await startAdmin({
      admin: { listen: { scheme: 'http', host: '127.0.0.1', port: 0 }, requireToken: true },
    });
    await browser.open(other.url);
    await browser.until("document.getElementById('token-form').hidden === false");
    await browser.value("document.getElementById('token').focus()");
    await browser.type(other.token);
    await browser.press('Enter');
    await browser.until(`${text('state')} === 'ready'`);
    await other.stop();
  });

  it('throws nothing and is refused nothing', () => {
    expect(browser.errors.filter((error) => !/401|ERR_(CONNECTION|INCOMPLETE|ABORTED)/.test(error))).toEqual([]);
  });
});
