// Clients that few test with, against a running Aorta that asks for passwords: each registers, refreshes and unregisters. What
// happened is read from outside, by a fetch of our own.

import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Aorta, removeDirectories, temporaryDirectory } from '../support/aorta-process.ts';
import { killAll, poll, run } from '../support/child-process.ts';
import { freePort } from '../support/free-ports.ts';
import { bound, configFile, importUsers, PASSWORD } from '../support/login-client.ts';
import { startFinch, startNetSip, startTwinkle } from '../support/odd-phones.ts';
import { peerMissing } from '../support/peers.ts';
import { SipClient } from '../support/sip-client.ts';

const INTERVAL_S = 6;
const USERS = ['tess@127.0.0.1', 'udo@example.com', 'tom@example.com'];

let aorta: Aorta;
/** For finch, whose last request repeats a nonce without qop and does not wait for the challenge (docs/decisions/0021). */
let open: Aorta;
let client: SipClient;
let openClient: SipClient;

beforeAll(async () => {
  const data = temporaryDirectory();
  await importUsers(data, USERS);
  const flags = ['--config', configFile('auth: digest', 'policy: { min-expires: 2 }')];
  const domains = ['example.com', '127.0.0.1'];
  [aorta, open] = await Promise.all([
    Aorta.start({ data, domains, transports: ['udp', 'tcp'], shards: 1, flags }),
    Aorta.start({ shards: 1 }),
  ]);
  client = await SipClient.open(aorta);
  openClient = await SipClient.open(open);
});

afterAll(async () => {
  client?.close();
  openClient?.close();
  await killAll();
  removeDirectories();
});

function login(user: string, domain = 'example.com') {
  return { user, domain, password: PASSWORD, port: aorta.port };
}

/** Contact URIs of an AOR, and the seconds that each has left. */
function bindings(aor: string): Promise<ReadonlyMap<string, number>> {
  return bound(client, aor);
}

/** The only contact of an AOR, once it is there. */
function registered(aor: string): Promise<string> {
  return poll(`the binding of ${aor}`, 20_000, async () => [...(await bindings(aor)).keys()][0]);
}

async function refreshed(aor: string, contact: string): Promise<void> {
  let remaining = (await bindings(aor)).get(contact) ?? 0;
  await poll('a refresh that lengthens what remains', 30_000, async () => {
    const before = remaining;
    remaining = (await bindings(aor)).get(contact) ?? -1;
    expect(remaining, 'the binding is there at every moment').toBeGreaterThanOrEqual(0);
    return remaining > before;
  });
}

function gone(aor: string): Promise<boolean> {
  return poll('the unregistration', 8000, async () => (await bindings(aor)).size === 0);
}

describe.concurrent('a client that few test with', () => {
  it.skipIf(peerMissing('finch'))('finch (libpurple) registers and unregisters', async () => {
    const aor = 'finn@example.com';
    const contacts = async () => [...(await openClient.fetch(aor)).keys()];
    const { phone, log } = startFinch({ ...login('finn'), port: open.port });
    const contact = await poll('the binding', 20_000, async () => (await contacts())[0]);
    expect(contact).toMatch(/^sip:finn@/);
    // Only a phone that has seen its 200 unregisters.
    await poll('its 200', 10_000, () => readFileSync(log, 'latin1').includes('Activating keepalive'));
    const quit = async () => {
      phone.write('\x1bq'); // Alt-Q; lost while it still draws its windows
      return (await contacts()).length === 0;
    };
    await poll('the unregistration', 12_000, quit, 500);
    await phone.end(8000);
  });

  it.skipIf(peerMissing('twinkle-console'))('twinkle registers, refreshes and unregisters', async () => {
    const port = await freePort();
    const phone = startTwinkle(login('tess', '127.0.0.1'), port, INTERVAL_S);
    const contact = await registered('tess@127.0.0.1');
    expect(contact).toBe(`sip:tess@127.0.0.1:${port}`);
    await refreshed('tess@127.0.0.1', contact);
    phone.write('deregister\n');
    await gone('tess@127.0.0.1');
    phone.write('quit\n');
    await phone.end(8000);
  });

  for (const [proto, user] of [
    ['udp', 'udo'],
    ['tcp', 'tom'],
  ] as const) {
    it.skipIf(peerMissing('perl'))(`Net::SIP registers, refreshes and unregisters over ${proto}`, async () => {
      const phone = startNetSip(login(user), proto, await freePort(), 60);
      await phone.until(/^60: 60$/m, 10_000);
      const contact = await registered(`${user}@example.com`);
      expect(contact).toMatch(new RegExp(`^sip:${user}@127\\.0\\.0\\.1`));
      phone.write('\n');
      await phone.until(/^60: 60\n60: 60$/m, 10_000);
      expect([...(await bindings(`${user}@example.com`)).keys()]).toEqual([contact]);
      phone.write('\n');
      await phone.until(/^0: /m, 10_000);
      await gone(`${user}@example.com`);
    });
  }

  it.skipIf(peerMissing('sip-options'))("sofia-sip's sip-options gets 200 for a domain", async () => {
    const { stdout } = await run('sip-options', [`sip:127.0.0.1:${aorta.port}`], 10_000);
    expect(stdout).toMatch(/^SIP\/2\.0 200 /);
  });
});
