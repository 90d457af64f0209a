// The dashboard in a real browser: what it shows is what phones did, by keyboard alone, to a screen reader, dark and light, wide and narrow.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AdminFixture, startAdmin } from '../support/admin-server.ts';
import { removeDirectories } from '../support/aorta-process.ts';
import { poll } from '../support/child-process.ts';
import { Chromium } from '../support/chromium.ts';
import { faults, lacksChromium, press, text } from '../support/dashboard-page.ts';
import type { SipClient } from '../support/sip-client.ts';

describe.skipIf(lacksChromium())('the dashboard', () => {
  let admin: AdminFixture;
  /** Wants the token. */
  let other: AdminFixture;
  let phone: SipClient;
  let browser: Chromium;

  beforeAll(async () => {
    const address = { scheme: 'http', host: '127.0.0.1', port: 0 } as const;
    [admin, other] = await Promise.all([
      startAdmin({ shards: 2 }),
      startAdmin({ admin: { listen: address, requireToken: true } }),
    ]);
    phone = await admin.client();
    browser = new Chromium();
    await register('alice');
    await register('bob', ['User-Agent: Deskphone/7']);
    await phone.request(phone.register({ aor: 'eve@example.com', contacts: ['<sip:eve@127.0.0.1>;expires=5'] }));
  });
  afterAll(async () => {
    await browser.close();
    await Promise.all([admin.stop(), other.stop()]);
    removeDirectories();
  });

  const register = (user: string, headers: string[] = []) =>
    phone.request(phone.register({ aor: `${user}@example.com`, contacts: [`<sip:${user}@127.0.0.1:5070>`], headers }));
  const search = async (what: string) => {
    await browser.value("document.getElementById('search').value = ''; document.getElementById('search').focus()");
    await browser.type(what);
    await browser.press('Enter');
  };

  it('shows numbers, charts, refusals, shards and bindings as they are', async () => {
    await browser.open(admin.url, { dark: true });
    await browser.until(`${text('state')} === 'ready' && /Contacts\\s+2/.test(${text('tiles')})`);
    await browser.until(`/interval too brief/.test(${text('refusals')})`);
    await browser.until(`/UDP\\s+2/.test(${text('transports')}) && /example.com\\s+2/.test(${text('domains')})`);
    await browser.until(`/memory/.test(${text('limits')}) && /127\\.0\\.0\\.1/.test(${text('sources')})`);
    expect(await browser.value<number>("document.querySelectorAll('#shards tbody tr').length")).toBe(2);
    await browser.until(
      "[...document.querySelectorAll('figure [role=img]')].every((one) => one.getAttribute('aria-label').startsWith('now: '))",
    );
    expect(await browser.value<number>("document.querySelectorAll('figure canvas').length")).toBe(6);
    expect(await browser.value<string>(text('contacts'))).toMatch(/contacts 2\s+addresses 2/);
    expect(await faults(browser)).toEqual([]);
    await browser.open(admin.url);
    await browser.until(`/Contacts\\s+2/.test(${text('tiles')})`);
    const colour = await browser.value<string>('getComputedStyle(document.body).backgroundColor');
    expect(colour).toBe('rgb(244, 246, 248)');
  });

  it('writes nothing anew that is as it was, so that focus, selection and screen readers stay', async () => {
    await browser.until(`/example.com\\s+2/.test(${text('domains')})`);
    await browser.value(`
      window.seen = [];
      new MutationObserver((all) => seen.push(...all.map(({ target }) => target.parentElement?.closest('[id]')?.id ?? target.id)))
        .observe(document.body, { subtree: true, childList: true, characterData: true });
      getSelection().selectAllChildren(document.querySelector('#domains tbody td')); 0`);
    const counter = "performance.getEntriesByType('resource').filter(({ name }) => name.endsWith('/v1/status')).length";
    const before = await browser.value<number>(counter);
    await browser.until(`${counter} >= ${before} + 2`);
    const seen = await browser.value<string[]>('[...new Set(seen)]');
    expect(seen.filter((id) => ['state', 'domains', 'refusals', 'limits-near', 'found', 'told'].includes(id))).toEqual(
      [],
    );
    expect(await browser.value<string>('getSelection().toString()')).toBe('example.com');
  });

  it("shows the API's document, with nothing from elsewhere", async () => {
    await browser.open(`${admin.url}/docs`);
    await browser.until("document.querySelectorAll('.opblock').length > 30");
    const loaded = await browser.value<string[]>("performance.getEntriesByType('resource').map(({ name }) => name)");
    expect(loaded.filter((url) => !url.startsWith(admin.url) && !url.startsWith('data:'))).toEqual([]);
    expect(loaded).toContain(`${admin.url}/openapi.json`);
  });

  it('finds an address and follows changes by keyboard alone', async () => {
    await browser.open(admin.url);
    await browser.press('Tab'); // the skip link
    await browser.press('Enter');
    await browser.press('Tab');
    await browser.until("document.activeElement.id === 'search' || document.activeElement.closest('search') !== null");
    await search('alice@example.com');
    await browser.until(`${text('bindings')}.includes('sip:alice@127.0.0.1:5070')`);
    expect(await browser.value<string>('document.activeElement.id')).toBe('aor-name');
    await press(browser, '#feed-button');
    await browser.until(`${text('feed-note')} === 'Following.'`);
    await register('alice');
    await browser.until(`/refreshed\\s+alice@example.com/.test(${text('feed')})`);
    await search('alice@example.com');
    await browser.until(`/registered\\s+sip:alice@127.0.0.1:5070\\s+client\\s+udp 127.0.0.1/.test(${text('history')})`);
  });

  it('holds changes back while it is paused, and filters them', async () => {
    await press(browser, '#feed-pause');
    const shown = await browser.value<string>(text('feed'));
    await register('bob', ['User-Agent: Deskphone/7']);
    await browser.until(`${text('feed-pause')} === 'Resume (1 newer)'`);
    expect(await browser.value<string>(text('feed'))).toBe(shown);
    await press(browser, '#feed-pause');
    await browser.until(`/bob@example.com/.test(${text('feed')}) && /alice@example.com/.test(${text('feed')})`);
    await browser.value("document.getElementById('feed-filter').focus()");
    await browser.type('BOB@');
    await browser.until(`/bob@example.com/.test(${text('feed')}) && !/alice@example.com/.test(${text('feed')})`);
  });

  it('finds by a part of an address, by User-Agent and by source', async () => {
    await search('bo');
    await browser.until(`/bob@example.com\\s+1\\s+sip:bob/.test(${text('found')})`);
    await search('deskPHONE');
    await browser.until(`${text('search-note')} === '1 found.' && /Deskphone/.test(${text('found')})`);
    await search('127.0.0.1');
    await browser.until(`${text('search-note')} === '2 found.'`);
    await search('nobody-has-this');
    await browser.until(`${text('search-note')} === 'Nothing found.'`);
  });

  it('asks before it removes, traces and drains', async () => {
    await register('carol');
    await search('carol@example.com');
    await browser.until(`${text('aor-name')} === 'carol@example.com' && !document.getElementById('aor').hidden`);
    await press(browser, '#aor-actions button:nth-child(3)');
    await browser.until(
      `document.getElementById('confirm').open && ${text('confirm-title')} === 'Trace carol@example.com?'`,
    );
    expect(await faults(browser)).toEqual([]);
    await press(browser, '#confirm-yes');
    await browser.until(`/carol@example.com/.test(${text('traces')})`);
    expect(admin.server.watch.active.map(({ name }) => name)).toEqual(['carol@example.com']);
    await press(browser, '#traces button');
    await browser.until(`${text('told')} === 'No longer tracing carol@example.com.'`);
    await press(browser, '#aor-actions button:nth-child(4)');
    await press(browser, '#confirm-no');
    await browser.until("!document.getElementById('confirm').open");
    expect((await fetch(`${admin.url}/v1/aors/carol%40example.com`)).status).toBe(200);
    await press(browser, '#bindings tbody button');
    await press(browser, '#confirm-yes');
    await browser.until(`${text('told')} === 'Removed sip:carol@127.0.0.1:5070 of carol@example.com.'`);
    expect((await fetch(`${admin.url}/v1/aors/carol%40example.com`)).status).toBe(404);
    await press(browser, '#server-actions button:nth-child(2)');
    await press(browser, '#confirm-yes');
    await browser.until(`${text('state')} === 'draining' && ${text('server-actions')}.includes('End drain')`);
    await press(browser, '#server-actions button:nth-child(2)');
    await press(browser, '#confirm-yes');
    await browser.until(`${text('state')} === 'ready'`);
    await press(browser, '#server-actions button:nth-child(1)');
    await press(browser, '#confirm-yes');
    await browser.until(`document.getElementById('told').classList.contains('bad')`); // there is no file to read
  });

  it('shows the messages of an address as they pass', async () => {
    await search('alice@example.com');
    await browser.until(`${text('aor-name')} === 'alice@example.com'`);
    await press(browser, '#aor-actions button:nth-child(2)');
    await poll('a message on the page', 10_000, async () => {
      await register('alice', ['Authorization: Digest username="alice", response="secret"']);
      return browser.value<boolean>(`/← SIP\\/2.0 200 OK/.test(${text('messages-list')})`);
    });
    await browser.value("for (const one of document.querySelectorAll('#messages details')) one.open = true");
    expect(await browser.value<string>(text('messages-list'))).toMatch(
      /→ REGISTER sip:example.com SIP\/2.0[\s\S]*Authorization: \(left out\)/,
    );
    expect(await faults(browser)).toEqual([]);
  });

  it('has room for each table beside the others', async () => {
    for (const width of [900, 1280, 1920]) {
      await browser.open(admin.url, { width, height: 900 });
      await browser.until(`/example.com/.test(${text('domains')})`);
      const wide = await browser.value<string[]>(`[...document.querySelectorAll('.columns > div > table')]
        .filter((table) => [...table.querySelectorAll('th')].some((head) =>
          head.getBoundingClientRect().right > table.parentElement.getBoundingClientRect().right + 1))
        .map(({ id }) => id)`);
      expect(wide, `${width} px`).toEqual([]);
    }
  });

  it('makes cards of rows on a phone, and scrolls in one direction alone', async () => {
    await browser.open(admin.url, { width: 400, height: 800 });
    await browser.until(`/example.com/.test(${text('domains')})`);
    await search('bob@example.com');
    await browser.until(`${text('bindings')}.includes('sip:bob@127.0.0.1:5070')`);
    expect(await browser.value<number>('document.documentElement.scrollWidth')).toBeLessThanOrEqual(400);
    expect(
      await browser.value<string>(
        "getComputedStyle(document.querySelector('#bindings td:nth-child(4)'), '::before').content",
      ),
    ).toBe('"From"');
    expect(await faults(browser)).toEqual([]);
  });

  it('has a name for everything a screen reader meets', async () => {
    const nodes = await browser.accessible();
    for (const role of ['button', 'searchbox', 'img', 'table', 'link', 'heading'])
      expect(nodes.filter((node) => node === `${role}: `)).toEqual([]);
    expect(nodes).toContain('searchbox: Address, contact, source, User-Agent or instance');
    expect(nodes).toContainEqual(expect.stringMatching(/^(img|image): now: accepted/));
  });

  it('asks for the token where one is needed, and says that one is wrong', async () => {
    await browser.open(other.url);
    await browser.until("document.getElementById('token-form').hidden === false");
    await browser.value("document.getElementById('token').focus()");
    await browser.type('not-the-token');
    await browser.press('Enter');
    await browser.until(`/The token is wrong/.test(${text('token-note')})`);
    expect(await faults(browser)).toEqual([]);
    await browser.value("document.getElementById('token').value = ''; document.getElementById('token').focus()");
    await browser.type(other.token);
    await browser.press('Enter');
    await browser.until(`${text('state')} === 'ready' && document.getElementById('token-form').hidden`);
  });

  it('throws nothing and is refused nothing', () => {
    expect(
      browser.errors.filter((error) => !/401|404|409|503|ERR_(CONNECTION|INCOMPLETE|ABORTED)/.test(error)),
    ).toEqual([]);
  });
});
