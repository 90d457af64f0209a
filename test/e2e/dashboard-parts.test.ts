// Parts of the dashboard that show where something is switched on: changes sent elsewhere, bindings that sleep, and whom abuse control limits.

import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Aorta, removeDirectories, temporaryDirectory } from '../support/aorta-process.ts';
import { killAll, poll } from '../support/child-process.ts';
import { Chromium } from '../support/chromium.ts';
import { faults, lacksChromium, press, text } from '../support/dashboard-page.ts';
import { challenge, configFile, importUsers, logIn, signed } from '../support/login-client.ts';
import { SipClient } from '../support/sip-client.ts';

const GUESSES = 25;

describe.skipIf(lacksChromium())('the dashboard', () => {
  let aorta: Aorta;
  let phone: SipClient;
  let browser: Chromium;
  let url: string;
  let answer = 500;
  const receiver = createServer((_, response) => response.writeHead(answer).end());

  beforeAll(async () => {
    await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
    const data = temporaryDirectory();
    const users = ['alice', 'bob', 'carol'].map((user) => `${user}@example.com`);
    await importUsers(data, users);
    const secret = join(temporaryDirectory(), 'secret');
    writeFileSync(secret, 'a secret of the receiver\n');
    const target = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/`;
    const config = configFile(
      'auth: digest',
      'abuse: {unlimited: []}',
      'admin: {listen: "http:127.0.0.1:0"}',
      'policy: {min-expires: 1}',
      `feed: {webhook: {url: "${target}", secret: a secret of the receiver, retry-ms: 50, retry-max-ms: 500, failures: 1000}}`,
      `push: {refresh-s: 0, webhook: {url: "${target}", secret-file: ${secret}, providers: [webpush]}}`,
    );
    aorta = await Aorta.start({ data, flags: ['--config', config] });
    url = /admin (http:\S+)/.exec(aorta.stdout)?.[1] ?? '';
    phone = await SipClient.open(aorta);
    browser = new Chromium();
    const push = ';pn-provider=webpush;pn-prid=device';
    const sleeper = { aor: 'bob@example.com', contacts: [`<sip:bob@127.0.0.1:5070${push}>;expires=1`] };
    for (const fields of [{ aor: 'carol@example.com', contacts: ['<sip:carol@127.0.0.1:5070>'] }, sleeper])
      expect((await logIn(phone, fields)).status).toBe(200);
    // The page has contacts counted when it comes, and then once a minute.
    await poll('a binding that sleeps', 10_000, async () => {
      const asleep = await (await fetch(`${url}/v1/aors?asleep=true`)).text();
      return asleep.includes('bob@example.com') || undefined;
    });
    await browser.open(url);
  });
  afterAll(async () => {
    await browser.close();
    phone.close();
    receiver.close();
    await killAll();
    removeDirectories();
  });

  it('shows how far a webhook is with changes, that it fails, and that it has caught up', async () => {
    await browser.until(`/webhook\\s+retrying\\s+\\d+\\s+[0-9.]+ s\\s+[1-9]/.test(${text('deliveries')})`);
    await browser.until("document.querySelector('#deliveries tr.alarm') !== null");
    expect(await browser.value<string>(text('deliveries-note'))).toMatch(/^Number of the newest change: [1-9]\d+\.$/);
    answer = 204;
    await browser.until(`/webhook\\s+up to date/.test(${text('deliveries')})`);
    const [, newest] = /change: (\d+)/.exec(await browser.value<string>(text('deliveries-note'))) ?? [];
    expect(await browser.value<string>(text('deliveries'))).toContain(newest);
  });

  it('counts bindings that sleep, and finds them alone where it is asked to', async () => {
    await browser.until(`/, and 1 that sleep\\./.test(${text('census')})`);
    await browser.value("document.getElementById('search-asleep').focus()");
    await browser.press(' ');
    await press(browser, '#search');
    await browser.until(`${text('search-note')} === '1 found asleep.' && /bob@example.com/.test(${text('found')})`);
    expect(await browser.value<number>("document.querySelectorAll('#found button').length")).toBe(0);
    await browser.value("document.getElementById('search-asleep').focus()");
    await browser.press(' ');
    await press(browser, '#search');
    await browser.until(`${text('search-note')} === '1 found.' && /carol@example.com/.test(${text('found')})`);
    expect(await browser.value<number>("document.querySelectorAll('#found button').length")).toBe(1);
  });

  it('lists whom abuse control limits, and asks before it lets them go', async () => {
    const guesser = await SipClient.open(aorta, '127.0.0.66');
    const { nonce } = await challenge(guesser);
    for (let n = 0; n < GUESSES; n++)
      await guesser.request(signed(guesser, {}, { nonce, password: `guess${n}` }), 300).catch(() => undefined);
    guesser.close();
    await browser.until(`/alice@example.com\\s+guessed/.test(${text('limited')})`);
    expect(await faults(browser)).toEqual([]);
    await press(browser, '#limited button');
    await browser.until(`document.getElementById('confirm').open && /^Forgive .+\\?$/.test(${text('confirm-title')})`);
    await press(browser, '#confirm-no');
    await browser.until("!document.getElementById('confirm').open");
    expect(await browser.value<string>(text('limited'))).toContain('alice@example.com');
    for (;;) {
      const left = await browser.value<number>("document.querySelectorAll('#limited button').length");
      if (left === 0) break;
      await press(browser, '#limited button');
      await press(browser, '#confirm-yes');
      await browser.until(`document.querySelectorAll('#limited button').length < ${left}`);
    }
    expect(await browser.value<string>(text('told'))).toMatch(/ is let go\.$/);
    expect(await (await fetch(`${url}/v1/abuse`)).json()).toEqual({ items: [] });
  });

  it('has room for all of it on a phone', async () => {
    await browser.open(url, { width: 400, height: 800 });
    await browser.until(`/webhook\\s+up to date/.test(${text('deliveries')})`);
    expect(await browser.value<number>('document.documentElement.scrollWidth')).toBeLessThanOrEqual(400);
    expect(await faults(browser)).toEqual([]);
    expect(browser.errors).toEqual([]);
  });
});
