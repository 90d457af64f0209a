// docs/proxies.md as it stands, with the real programs: Kamailio as edge, baresip and JsSIP in Chromium as phones, calls from one
// to the other.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { Aorta, removeDirectories, temporaryDirectory } from '../support/aorta-process.ts';
import { startPhone } from '../support/baresip-phone.ts';
import { serveSite, startBrowser } from '../support/browser.ts';
import { selfSigned } from '../support/certificate.ts';
import { Child, killAll, poll, which } from '../support/child-process.ts';
import { cookbookBlock, Edge } from '../support/edge-proxy.ts';
import { freePort } from '../support/free-ports.ts';
import { configFile, importUsers, PASSWORD } from '../support/login-client.ts';
import { surviveOddTargets } from '../support/odd-targets.ts';
import { peerMissing } from '../support/peers.ts';
import { SipClient } from '../support/sip-client.ts';
import { StreamClient } from '../support/stream-client.ts';

const ROOT = join(import.meta.dirname, '../..');
const hasPhones = !peerMissing('baresip');
const hasEdges = hasPhones && !peerMissing('kamailio');
const hasOpenSips = which('opensips') !== undefined;
if (!hasOpenSips) console.warn('skipped: opensips is not installed (Debian has no package of it)');

afterAll(async () => {
  await killAll();
  removeDirectories();
});

/** What the page of the browser tests has in its window. */
interface PhonePage {
  phones: Record<string, { events: string[] }>;
  startJsSip(options: object): void;
}

interface Contact {
  readonly uri: string;
  readonly path: string[];
}

async function contactsOf(aorta: Aorta, user: string): Promise<Contact[]> {
  const answer = await fetch(`http://127.0.0.1:${httpPort(aorta)}/v1/aors/${user}@example.com/contacts`);
  return ((await answer.json()) as { contacts: Contact[] }).contacts;
}

function registered(aorta: Aorta, user: string): Promise<Contact> {
  return poll(`${user}'s registration`, 10_000, async () => (await contactsOf(aorta, user))[0]);
}

function httpPort(aorta: Aorta): number {
  return Number(/^lookups http:\/\/127\.0\.0\.1:(\d+)\//m.exec(aorta.stdout)?.[1]);
}

function startAorta(flags: readonly string[] = []): Promise<Aorta> {
  return Aorta.start({ flags: ['--lookup', 'http:127.0.0.1:0', ...flags], shards: 2 });
}

/** The cookbook's first aorta.yaml: users with passwords, which the edge passes on. */
async function startAortaOfTheCookbook(): Promise<Aorta> {
  const yaml = cookbookBlock('# aorta.yaml\n')
    .replace(/^listen:.*\n/m, '')
    .replace(/^ {2}http:.*\n/m, '');
  const data = temporaryDirectory();
  await importUsers(data, ['alice@example.com', 'bob@example.com']);
  const flags = ['--lookup', 'http:127.0.0.1:0', '--config', configFile(yaml.replaceAll('192.0.2.10', '127.0.0.1'))];
  return Aorta.start({ data, flags, shards: 2 });
}

/** alice calls bob: the call stands on both sides, and ends on both when she hangs up. */
async function call(alice: Child, bob: Child): Promise<void> {
  try {
    await alice.until(/Call established: sip:bob@example\.com/, 15_000);
    await bob.until(/Call established: sip:alice@example\.com/, 5000);
  } catch (error) {
    throw new Error(`${String(error)}\n--- alice\n${alice.output()}\n--- bob\n${bob.output()}`);
  }
  alice.signal('SIGTERM');
  await bob.until(/BYE sip:/, 5000);
}

/** A plain client calls bob, who is JsSIP in a page behind the edge's WSS: it rings there, and is turned down. */
async function callBrowser(aorta: Aorta, edge: Edge): Promise<void> {
  const site = await serveSite(selfSigned());
  const browser = await startBrowser();
  try {
    const page = await browser.context.newPage();
    await page.goto(site.origin);
    const options = {
      name: 'bob',
      url: `wss://localhost:${edge.wssPort}`,
      user: 'bob',
      domain: 'example.com',
      password: PASSWORD,
    };
    await page.evaluate((given) => (globalThis as unknown as PhonePage).startJsSip(given), options);
    const contact = await registered(aorta, 'bob');
    expect(contact.uri).toMatch(/^sip:[^@]+@[a-z0-9]+\.invalid;transport=ws/i);
    expect(contact.path.length).toBeGreaterThan(0);
    const alice = await SipClient.open({ address: edge.address, port: edge.port });
    const invite = alice.other('INVITE', 'sip:bob@example.com', [`Contact: <sip:alice@127.0.0.1:${alice.port}>`], {
      from: '<sip:alice@example.com>;tag=a',
      to: '<sip:bob@example.com>',
    });
    alice.send(invite);
    const seen: number[] = [];
    while (!seen.includes(486)) seen.push((await alice.nextFor(invite)).status);
    expect(seen).toContain(180);
    const calls = await page.evaluate(() => (globalThis as unknown as PhonePage).phones.bob.events);
    expect(calls).toContain('call');
    alice.close();
  } finally {
    await browser.close();
    site.close();
  }
}

async function finalStatus(client: SipClient, invite: string): Promise<number> {
  client.send(invite);
  for (;;) {
    const { status } = await client.nextFor(invite);
    if (status >= 200) return status;
  }
}

/** Whatever Route a stranger writes, the edge sends nothing to where it points. */
async function refusesToRelay(edge: Edge): Promise<void> {
  const [stranger, victim] = await Promise.all(
    [1, 2].map(() => SipClient.open({ address: edge.address, port: edge.port })),
  );
  const own = `<sip:${edge.address}:${edge.port};lr>`;
  const there = `sip:127.0.0.1:${victim.port}`;
  const routes = [
    [],
    [`Route: ${own}`],
    [`Route: <${there};lr>`],
    [`Route: ${own}, <${there};lr>`],
    [`Route: ${own}`, `Route: <${there};lr>`],
  ];
  for (const domain of ['example.com', `127.0.0.1:${victim.port}`])
    for (const route of domain === 'example.com' ? routes.slice(2) : routes) {
      const invite = stranger.other('INVITE', `sip:x@${domain}`, route);
      expect([domain, ...route, await finalStatus(stranger, invite)]).toEqual([domain, ...route, 403]);
    }
  expect(victim.inbox).toEqual([]);
  stranger.close();
  victim.close();
}

describe.skipIf(!hasEdges)('Kamailio as edge proxy', () => {
  it.concurrent.each(['SIP', 'HTTP'])(
    'R3327-5.4-01 R3261-8.3-01 brings a call by UDP to a phone whose TLS connection it holds, asking by %s',
    async (way) => {
      const aorta = await startAortaOfTheCookbook();
      const edge = await Edge.start({ sip: aorta.port, ...(way === 'HTTP' && { http: httpPort(aorta) }) });
      const proxy = `sip:127.0.0.1:${edge.tlsPort};transport=tls`;
      const bob = startPhone({ aor: 'bob@example.com', proxy, transport: 'tls', answers: true, password: PASSWORD });
      const contact = await registered(aorta, 'bob');
      expect(contact.uri).toMatch(/;transport=tls$/);
      expect(contact.path).toEqual([
        expect.stringMatching(new RegExp(`^<sip:[^@]+@127\\.0\\.0\\.1:${edge.port};lr;ob>$`)),
      ]);
      const alice = startPhone({
        aor: 'alice@example.com',
        proxy: `sip:127.0.0.1:${edge.port}`,
        dial: 'sip:bob@example.com',
        password: PASSWORD,
      });
      await call(alice, bob);
    },
  );

  (peerMissing('chromium') ? it.skip : it.concurrent)(
    'R3327-5.4-01 R7118-5-03 brings a call by UDP to a phone in a browser whose WSS connection it holds',
    async () => {
      const aorta = await startAortaOfTheCookbook();
      await callBrowser(aorta, await Edge.start({ sip: aorta.port }));
    },
  );

  it.concurrent('R3327-5.4-01 with two edges brings a call from one to the phone at the other, over TCP', async () => {
    const aorta = await startAorta();
    const [one, two] = await Promise.all([Edge.start({ sip: aorta.port }), Edge.start({ sip: aorta.port })]);
    const proxy = `sip:127.0.0.1:${two.port};transport=tcp`;
    const bob = startPhone({ aor: 'bob@example.com', proxy, transport: 'tcp', answers: true });
    const contact = await registered(aorta, 'bob');
    expect(contact.path[0]).toContain(`@127.0.0.1:${two.port};`);
    const alice = startPhone({
      aor: 'alice@example.com',
      proxy: `sip:127.0.0.1:${one.port}`,
      dial: 'sip:bob@example.com',
    });
    await call(alice, bob);
  });

  it.concurrent('R5626-7-01 answers 430 where the connection that a Path names has ended', async () => {
    const aorta = await startAorta();
    const edge = await Edge.start({ sip: aorta.port });
    const phone = await StreamClient.tcp(edge);
    const contacts = ['<sip:bob@127.0.0.1:5999;transport=tcp>'];
    await phone.request(phone.register({ aor: 'bob@example.com', contacts }));
    phone.close();
    const alice = await SipClient.open({ address: edge.address, port: edge.port });
    await poll('430', 5000, async () => {
      const contact = `Contact: <sip:alice@127.0.0.1:${alice.port}>`;
      return (await finalStatus(alice, alice.other('INVITE', 'sip:bob@example.com', [contact]))) === 430;
    });
    alice.close();
  });

  it.concurrent('is no way for strangers to anybody else', async () => {
    const aorta = await startAorta();
    await refusesToRelay(await Edge.start({ sip: aorta.port }));
  });

  it.concurrent('R3261-10.3-10 takes the word of an edge that asked for the password, and of nobody else', async () => {
    const yaml = cookbookBlock('# aorta.yaml, passwords at the edge');
    const auth = yaml.slice(yaml.indexOf('auth:')).replaceAll('192.0.2.10', '127.0.0.1');
    const aorta = await startAorta(['--config', configFile(auth)]);
    const edge = await Edge.start({ sip: aorta.port, auth: true });
    const proxy = `sip:127.0.0.1:${edge.port}`;
    const alice = startPhone({ aor: 'alice@example.com', proxy, password: 'alices-secret' });
    const mallory = startPhone({ aor: 'mallory@example.com', proxy, password: 'alices-secret' });
    await alice.until(/200 OK.*\[1 binding\]/, 10_000);
    await mallory.until(/SIP\/2\.0 40[13]/, 10_000);
    expect((await contactsOf(aorta, 'alice')).length).toBe(1);
    expect((await contactsOf(aorta, 'mallory')).length).toBe(0);
  });
});

describe.skipIf(!hasPhones || !hasOpenSips)('OpenSIPS as edge proxy', () => {
  const flags = ['--config', configFile(cookbookBlock('# aorta.yaml, beside OpenSIPS'))];

  it.concurrent.each(['tls', 'tcp'] as const)('brings a call by UDP to a phone over %s', async (transport) => {
    const aorta = await startAorta(flags);
    const edge = await Edge.startOpensips({ sip: aorta.port });
    const port = transport === 'tls' ? edge.tlsPort : edge.port;
    const proxy = `sip:${edge.address}:${port};transport=${transport}`;
    const bob = startPhone({ aor: 'bob@example.com', proxy, transport, answers: true });
    await registered(aorta, 'bob');
    const alice = startPhone({
      aor: 'alice@example.com',
      proxy: `sip:${edge.address}:${edge.port}`,
      dial: 'sip:bob@example.com',
    });
    await call(alice, bob);
  });

  it.concurrent('is no way for strangers to anybody else', async () => {
    const aorta = await startAorta(flags);
    await refusesToRelay(await Edge.startOpensips({ sip: aorta.port }));
  });

  (peerMissing('chromium') ? it.skip : it.concurrent)('brings a call to a phone in a browser', async () => {
    const aorta = await startAorta(flags);
    await callBrowser(aorta, await Edge.startOpensips({ sip: aorta.port }));
  });
});

/** The proxy of the cookbook, on a port of its own. */
async function startProgram(): Promise<{ program: Child; port: number }> {
  const directory = join(ROOT, '.build/cookbook');
  mkdirSync(directory, { recursive: true });
  const port = await freePort();
  const file = join(directory, `proxy-${port}.mjs`);
  writeFileSync(file, cookbookBlock('createRegistrar({ domains: [domain]'));
  const args = [file, '127.0.0.1', String(port), 'example.com', temporaryDirectory()];
  const program = new Child(process.execPath, args, { cwd: ROOT });
  await program.until(/^ready/m, 10_000);
  return { program, port };
}

describe('a Node program with Aorta inside', () => {
  it('answers or drops requests for what it cannot forward to', async () => {
    const { program, port } = await startProgram();
    await surviveOddTargets(port);
    program.signal('SIGTERM');
    expect((await program.end(5000)).code).toBe(0);
  });

  (hasPhones ? it : it.skip)('R3261-8.3-01 registers phones and brings a call from one to the other', async () => {
    const { program, port } = await startProgram();
    const proxy = `sip:127.0.0.1:${port}`;
    const bob = startPhone({ aor: 'bob@example.com', proxy, answers: true });
    await program.until(/^registered bob@example\.com/m, 10_000);
    const alice = startPhone({ aor: 'alice@example.com', proxy, dial: 'sip:bob@example.com' });
    await call(alice, bob);
    await program.until(/^unregistered alice@example\.com/m, 10_000);
    program.signal('SIGTERM');
    expect((await program.end(5000)).code).toBe(0);
  });
});
