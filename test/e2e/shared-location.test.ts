// The read model through its public doors: a registrar as a process of its own, `aorta/location` in this one, and the proxy of
// docs/proxies.md beside both.

import { createSocket } from 'node:dgram';
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Location, openLocation } from '../../src/location.ts';
import { Aorta, CLI, removeDirectories, temporaryDirectory } from '../support/aorta-process.ts';
import { Child, killAll, poll, run } from '../support/child-process.ts';
import { cookbookBlock } from '../support/edge-proxy.ts';
import { freePort } from '../support/free-ports.ts';
import { configFile } from '../support/login-client.ts';
import { surviveOddTargets } from '../support/odd-targets.ts';
import { SipClient } from '../support/sip-client.ts';

const ROOT = join(import.meta.dirname, '../..');
const EXAMPLES = join(ROOT, `.build/shared-${process.pid}`);
/** A change is to be seen within; the machine may be busy. */
const SEEN_MS = 3000;

afterAll(async () => {
  await killAll();
  removeDirectories();
  rmSync(EXAMPLES, { recursive: true, force: true });
});

function start(data = temporaryDirectory()): Promise<Aorta> {
  const flags = ['--config', configFile('location: { shared: true }', 'policy: { min-expires: 1 }')];
  return Aorta.start({ data, shards: 2, flags });
}

function contactsOf(location: Location, aor: string): string[] {
  return location.lookup(aor).contacts.map(({ uri }) => uri);
}

describe('aorta/location', () => {
  let aorta: Aorta;
  let client: SipClient;
  let location: Location;

  beforeAll(async () => {
    aorta = await start();
    client = await SipClient.open(aorta);
    location = await poll('a read model', 10_000, () => {
      try {
        return openLocation(aorta.data);
      } catch {
        return undefined;
      }
    });
  });

  afterAll(() => {
    location?.close();
    client?.close();
  });

  async function register(aor: string, contact: string, expires = 600): Promise<void> {
    const answer = await client.request(client.register({ aor, contacts: [`<${contact}>;expires=${expires}`] }));
    expect(answer.status).toBe(200);
  }

  it('sees what is registered, changed and removed, without asking', async () => {
    expect(location.has('ann@example.com')).toBe(false);
    await register('ann@example.com', 'sip:ann@192.0.2.1');
    await poll('the binding', SEEN_MS, () => location.has('ann@example.com'));
    const { aor, contacts } = location.lookup('sip:ann@EXAMPLE.com;x=y');
    expect({ aor, uri: contacts[0]?.uri }).toEqual({ aor: 'ann@example.com', uri: 'sip:ann@192.0.2.1' });
    await register('ann@example.com', 'sip:ann@192.0.2.2');
    await poll('the second', SEEN_MS, () => contactsOf(location, 'ann@example.com').length === 2);
    await register('ann@example.com', 'sip:ann@192.0.2.1', 0);
    await register('ann@example.com', 'sip:ann@192.0.2.2', 0);
    await poll('their removal', SEEN_MS, () => !location.has('ann@example.com'));
    expect(contactsOf(location, 'ann@example.com')).toEqual([]);
  });

  it('keeps what is refreshed beyond the time that its record says, and drops what is not', async () => {
    await register('bea@example.com', 'sip:bea@192.0.2.1', 6);
    await register('cis@example.com', 'sip:cis@192.0.2.1', 6);
    await poll('both', SEEN_MS, () => location.has('bea@example.com') && location.has('cis@example.com'));
    const [{ expiresAt }] = location.lookup('bea@example.com').contacts;
    await register('bea@example.com', 'sip:bea@192.0.2.1', 60);
    await poll('the end of the other', 15_000, () => !location.has('cis@example.com'));
    await poll('the end of the first interval', 15_000, () => Date.now() > expiresAt + 1000);
    expect(contactsOf(location, 'bea@example.com')).toEqual(['sip:bea@192.0.2.1']);
  });

  it("knows an operator's bindings and aliases, and refuses what is no AOR", async () => {
    const add = ['binding', 'add', 'desk@example.com', 'sip:desk@192.0.2.7', '--data', aorta.data];
    expect((await run(process.execPath, [CLI, ...add], 10_000)).exit.code).toBe(0);
    await poll('the static binding', SEEN_MS, () => contactsOf(location, 'desk@example.com').length === 1);
    expect(location.has('desk@example.com')).toBe(true);
    expect(() => location.lookup('')).toThrow(RangeError);
    expect(() => location.lookup('ann@elsewhere.example')).toThrow(RangeError);
  });

  it('gives the last state while the registrar is gone, says so, and follows its next life', async () => {
    await register('dot@example.com', 'sip:dot@192.0.2.1');
    await poll('the binding', SEEN_MS, () => location.has('dot@example.com'));
    expect(location.stale).toBe(false);
    await aorta.kill9();
    await poll('silence', 5000, () => location.stale);
    expect(contactsOf(location, 'dot@example.com')).toEqual(['sip:dot@192.0.2.1']);
    aorta = await aorta.restart();
    await poll('the next life', 10_000, () => !location.stale);
    expect(contactsOf(location, 'dot@example.com')).toEqual(['sip:dot@192.0.2.1']);
    await register('dot@example.com', 'sip:dot@192.0.2.1', 0);
    await poll('its removal', SEEN_MS, () => !location.has('dot@example.com'));
  });

  it('is made anew where it is damaged, cut off or missing', async () => {
    await register('eve@example.com', 'sip:eve@192.0.2.1');
    for (const spoil of [
      (folder: string) => rmSync(folder, { recursive: true }),
      (folder: string) => {
        for (const name of readdirSync(folder).filter((n) => n !== 'current')) {
          writeFileSync(join(folder, name, 'data.mdb'), Buffer.alloc(5000, 0xa5));
        }
      },
      (folder: string) => writeFileSync(join(folder, 'current'), 'nonsense'),
    ]) {
      await aorta.stop();
      location.close();
      spoil(join(aorta.data, 'location'));
      aorta = await aorta.restart();
      location = await poll('a new model', 10_000, () => {
        try {
          return openLocation(aorta.data);
        } catch {
          return undefined;
        }
      });
      expect(contactsOf(location, 'eve@example.com')).toEqual(['sip:eve@192.0.2.1']);
      await poll('the end of the old ones', SEEN_MS, () => readdirSync(join(aorta.data, 'location')).length === 2);
    }
  });

  it('is closed once, and asked no more', () => {
    const other = openLocation(aorta.data);
    other.close();
    other.close();
    for (const ask of [() => other.lookup('eve@example.com'), () => other.has('eve@example.com'), () => other.aors])
      expect(ask).toThrow('the location was closed');
  });

  it('says what to do where there is none', () => {
    expect(() => openLocation(temporaryDirectory())).toThrow(/location: \{ shared: true \}/);
  });

  it('serves the proxy of docs/proxies.md, which never asks the registrar', async () => {
    mkdirSync(EXAMPLES, { recursive: true });
    const file = join(EXAMPLES, 'proxy.mjs');
    writeFileSync(file, cookbookBlock('openLocation(data)'));
    const port = await freePort();
    const args = ['127.0.0.1', port, 'example.com', aorta.data, aorta.port].map(String);
    const proxy = new Child(process.execPath, [file, ...args], { cwd: ROOT });
    await proxy.until(/^ready/m, 10_000);
    const caller = await SipClient.open({ address: '127.0.0.1', port });
    const phone = createSocket('udp4');
    await new Promise<void>((resolve) => phone.bind(0, '127.0.0.1', resolve));
    const uri = `sip:fay@127.0.0.1:${phone.address().port}`;
    expect((await caller.request(caller.register({ aor: 'fay@example.com', contacts: [`<${uri}>`] }))).status).toBe(
      200,
    );
    await poll('the binding', SEEN_MS, () => location.has('fay@example.com'));
    // The registrar does not hear of it: it stands still.
    aorta.child.signal('SIGSTOP');
    try {
      phone.on('message', (bytes, from) => {
        const [line, ...rows] = bytes.toString('latin1').split('\r\n');
        const status = line.startsWith(`OPTIONS ${uri} `) ? '200 OK' : '404 Not Found';
        const kept = rows.filter((row) => /^(via|from|to|call-id|cseq):/i.test(row));
        phone.send([`SIP/2.0 ${status}`, ...kept, 'Content-Length: 0', '', ''].join('\r\n'), from.port, from.address);
      });
      expect((await caller.request(caller.other('OPTIONS', 'sip:fay@example.com'))).status).toBe(200);
      const nobody = await caller.request(caller.other('OPTIONS', 'sip:nobody@example.com'));
      expect([480, 503]).toContain(nobody.status); // 503 once the silence has lasted 1.5 s
    } finally {
      aorta.child.signal('SIGCONT');
      phone.close();
    }
    await surviveOddTargets(port);
    proxy.signal('SIGTERM');
    expect((await proxy.end(5000)).code).toBe(0);
    caller.close();
  });
});
