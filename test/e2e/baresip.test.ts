// baresip, a real phone, against a running Aorta: registers, refreshes by itself, unregisters when it quits.
// What happened is read from outside, by a fetch of our own.

import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Aorta, removeDirectories, temporaryDirectory } from '../support/aorta-process.ts';
import { Child, killAll, poll, which } from '../support/child-process.ts';
import { peerMissing } from '../support/peers.ts';
import { SipClient } from '../support/sip-client.ts';

const INTERVAL_S = 5;
const AOR = 'alice@example.com';

describe.skipIf(peerMissing('baresip'))('baresip', () => {
  let aorta: Aorta;
  let client: SipClient;

  beforeAll(async () => {
    aorta = await Aorta.start({ flags: ['--min-expires', '2'] });
    client = await SipClient.open(aorta);
  });

  afterAll(async () => {
    client?.close();
    await killAll();
    removeDirectories();
  });

  it('R3261-10.3-27 R3261-10.3-29 R3261-10.2.2-01 registers, refreshes and unregisters', async () => {
    const directory = temporaryDirectory();
    writeFileSync(join(directory, 'config'), config());
    writeFileSync(
      join(directory, 'accounts'),
      `<sip:${AOR};transport=udp>;outbound="sip:127.0.0.1:${aorta.port}";regint=${INTERVAL_S};auth_pass=unused\n`,
    );
    writeFileSync(join(directory, 'contacts'), '');
    const phone = new Child('baresip', ['-4', '-s', '-f', directory], { env: { HOME: directory } });

    const contact = await poll('the binding', 8000, async () => [...(await client.fetch(AOR)).keys()][0]);
    expect(contact).toMatch(/^sip:alice[^@]*@127\.0\.0\.1:\d+/);
    await phone.until(/200 OK.*\[1 binding\]/, 2000);

    let remaining = (await client.fetch(AOR)).get(contact) ?? 0;
    expect(remaining).toBeLessThanOrEqual(INTERVAL_S);
    await poll('a refresh that lengthens what remains', 10_000, async () => {
      const before = remaining;
      remaining = (await client.fetch(AOR)).get(contact) ?? -1;
      expect(remaining, 'the binding is there at every moment').toBeGreaterThanOrEqual(0);
      return remaining > before;
    });
    expect((await client.fetch(AOR)).size).toBe(1);

    phone.signal('SIGTERM');
    await poll('the unregistration', 5000, async () => (await client.fetch(AOR)).size === 0);
    await phone.end(8000);
    expect(phone.stdout).toMatch(/;expires=0/);
    expect(phone.stdout).not.toMatch(/SIP\/2\.0 [45]\d\d/);
  });
});

function config(): string {
  const modules = [
    join(which('baresip') ?? '', '../../lib/baresip/modules'),
    '/usr/lib/baresip/modules',
    '/usr/local/lib/baresip/modules',
    '/opt/homebrew/lib/baresip/modules',
  ].find((directory) => existsSync(directory));
  return [
    'sip_listen 127.0.0.1:0',
    'net_interface 127.0.0.1', // an address: it knows no loopback interface by name
    `module_path ${modules ?? '.'}`,
    'module_app account.so', // no sound, no screen, no keyboard
    'module_app menu.so',
    '',
  ].join('\n');
}
