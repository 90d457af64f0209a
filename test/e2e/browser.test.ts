// JsSIP and SIP.js in headless Chromium, over WSS with a password: they register, refresh, lose the network, come back and
// unregister. What the registrar then has is asked over UDP. Leaves test/artefacts/browser-phones.png.

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Aorta, removeDirectories, temporaryDirectory } from '../support/aorta-process.ts';
import { ARTEFACTS, type Browser, type Site, serveSite, startBrowser } from '../support/browser.ts';
import { selfSigned } from '../support/certificate.ts';
import { killAll } from '../support/child-process.ts';
import { freePort } from '../support/free-ports.ts';
import { bound, importUsers, PASSWORD } from '../support/login-client.ts';
import { peerMissing } from '../support/peers.ts';
import { bindings, SipClient } from '../support/sip-client.ts';
import { TcpRelay } from '../support/tcp-relay.ts';

const DOMAIN = 'example.com';
/** Both refresh after about five seconds: JsSIP five before the end, SIP.js at half of it. */
const EXPIRES = 10;

/** What page.js puts into its window. */
interface PhonePage {
  phones: Record<string, { events: string[]; contact(): string; unregister(): void; stop(): void }>;
  gruus: Record<string, { pub: string; temp: string }>;
  startJsSip(options: object): void;
  startSipJs(options: object): Promise<void>;
}

describe.skipIf(peerMissing('chromium'))('phones in a browser', () => {
  let aorta: Aorta;
  let relay: TcpRelay;
  let site: Site;
  let browser: Browser;
  let page: Page;
  let client: SipClient;

  beforeAll(async () => {
    const data = temporaryDirectory();
    await importUsers(data, [`jane@${DOMAIN}`, `sipp@${DOMAIN}`]);
    const certificate = selfSigned();
    const port = await freePort();
    const flags = [
      '--listen',
      `wss:127.0.0.1:${port}`,
      '--tls-cert',
      certificate.certFile,
      '--tls-key',
      certificate.keyFile,
    ];
    aorta = await Aorta.start({
      data,
      flags: [...flags, '--auth', 'digest', '--min-expires', '1', '--lookup-sip', 'anyone'],
    });
    relay = await TcpRelay.open({ address: '127.0.0.1', port });
    client = await SipClient.open(aorta);
    site = await serveSite(certificate);
    browser = await startBrowser();
    page = await browser.context.newPage();
    await page.goto(site.origin);
  });

  afterAll(async () => {
    mkdirSync(ARTEFACTS, { recursive: true });
    await page?.screenshot({ path: join(ARTEFACTS, 'browser-phones.png') });
    client?.close();
    await browser?.close();
    site?.close();
    relay?.close();
    await killAll();
    removeDirectories();
  });

  /** Waits until each phone has had the event so often. */
  const happened = (event: string, times: number) =>
    page.waitForFunction(
      ([wanted, count]) =>
        Object.values((globalThis as unknown as PhonePage).phones).every(
          ({ events }) => events.filter((name) => name === wanted).length >= Number(count),
        ),
      [event, times] as const,
      { polling: 50 },
    );

  const contacts = async (user: string) => [...(await bound(client, `${user}@${DOMAIN}`)).keys()];
  const gruus = (user: string) => page.evaluate((u) => (globalThis as unknown as PhonePage).gruus[u], user);
  /** What a caller is told who asks for a URI. */
  const lookup = async (uri: string) => {
    const answer = await client.request(client.other('MESSAGE', uri));
    return [answer.status, ...[...bindings(answer).keys()]];
  };
  const none = (user: string) => expect.poll(() => contacts(user), { timeout: 20_000 }).toEqual([]);

  it('R7118-4.1-01 R7118-5.1-01 R7118-5.2-01 R7118-5-03 R5627-5.2-02 R5627-6.1-02 register, have GRUUs, refresh, reconnect and unregister', async () => {
    const options = { url: `wss://localhost:${relay.port}/sip`, domain: DOMAIN, password: PASSWORD, expires: EXPIRES };
    await page.evaluate((given) => {
      const { startJsSip, startSipJs } = globalThis as unknown as PhonePage;
      startJsSip({ ...given, name: 'jssip', user: 'jane' });
      return startSipJs({ ...given, name: 'sipjs', user: 'sipp' });
    }, options);
    await happened('registered', 1);
    const own = (name: string) => page.evaluate((n) => (globalThis as unknown as PhonePage).phones[n].contact(), name);
    const [jane, sipp] = [await own('jssip'), await own('sipjs')];
    expect([jane, sipp]).toEqual([
      expect.stringMatching(/^sip:[^@]+@[a-z0-9]+\.invalid;transport=ws/i),
      expect.stringMatching(/^sip:[^@]+@[a-z0-9]+\.invalid;transport=ws/i),
    ]);
    expect([await contacts('jane'), await contacts('sipp')]).toEqual([[jane], [sipp]]);

    const first = [await gruus('jane'), await gruus('sipp')];
    for (const [n, user] of ['jane', 'sipp'].entries()) {
      const { pub, temp } = first[n];
      expect(pub).toMatch(new RegExp(`^sip:${user}@example\\.com;gr=urn:uuid:[0-9a-f-]{36}$`));
      expect(temp).toMatch(/^sip:[\w-]{64}@example\.com;gr$/);
      const there = [302, [jane, sipp][n]];
      expect([await lookup(pub), await lookup(temp)]).toEqual([there, there]);
    }

    await happened('confirmed', 2); // refreshed by themselves

    relay.cut();
    await happened('disconnected', 1);
    await none('jane');
    await none('sipp');
    for (const { pub, temp } of first) expect([await lookup(pub), await lookup(temp)]).toEqual([[480], [404]]);
    relay.mend();
    await happened('registered', 2);
    expect([(await contacts('jane')).length, (await contacts('sipp')).length]).toEqual([1, 1]);
    for (const { pub, temp } of first) expect([(await lookup(pub))[0], await lookup(temp)]).toEqual([302, [404]]);

    await page.evaluate(() => {
      for (const phone of Object.values((globalThis as unknown as PhonePage).phones)) phone.unregister();
    });
    await happened('unregistered', 1);
    await none('jane');
    await none('sipp');
    const failures = await page.evaluate(() =>
      Object.values((globalThis as unknown as PhonePage).phones).filter(({ events }) => events.includes('failed')),
    );
    expect(failures).toEqual([]);
  });
});
