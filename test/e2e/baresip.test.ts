// baresip, a real phone, against a running Aorta: registers, refreshes by itself, unregisters when it quits.
// What happened is read from outside, by a fetch of our own.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Aorta, removeDirectories } from '../support/aorta-process.ts';
import { startPhone } from '../support/baresip-phone.ts';
import { killAll, poll } from '../support/child-process.ts';
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
    const phone = startPhone({ aor: AOR, proxy: `sip:127.0.0.1:${aorta.port}`, interval: INTERVAL_S });

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
