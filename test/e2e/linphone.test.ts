// linphone, a real phone (linphonec), against a running Aorta: registers, refreshes by itself, unregisters on command.
// What happened is read from outside, by a fetch of our own.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Aorta, removeDirectories } from '../support/aorta-process.ts';
import { killAll, poll } from '../support/child-process.ts';
import { startLinphone } from '../support/linphone-phone.ts';
import { peerMissing } from '../support/peers.ts';
import { contacts, SipClient } from '../support/sip-client.ts';

const INTERVAL_S = 5;
const AOR = 'carol@example.com';
const UUID = '0d8c5a4e-1f4f-4f7a-9a55-000000000001';

describe.skipIf(peerMissing('linphonec'))('linphone', () => {
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
    const login = { aor: AOR, registrar: aorta.port, expires: INTERVAL_S, uuid: UUID };
    const { child: phone, port } = await startLinphone(login);

    const contact = await poll('the binding', 8000, async () => [...(await client.fetch(AOR)).keys()][0]);
    expect(contact).toBe(`sip:carol@127.0.0.1:${port};transport=udp`);
    const answer = await client.request(client.register({ aor: AOR }));
    expect(contacts(answer)[0], 'R3261-10.3-38 its instance is kept').toContain(`+sip.instance="<urn:uuid:${UUID}>"`);

    let remaining = (await client.fetch(AOR)).get(contact) ?? 0;
    expect(remaining).toBeLessThanOrEqual(INTERVAL_S);
    await poll('a refresh that lengthens what remains', 10_000, async () => {
      const before = remaining;
      remaining = (await client.fetch(AOR)).get(contact) ?? -1;
      expect(remaining, 'the binding is there at every moment').toBeGreaterThanOrEqual(0);
      return remaining > before;
    });
    expect((await client.fetch(AOR)).size).toBe(1);

    phone.write('unregister\n');
    await poll('the unregistration', 5000, async () => (await client.fetch(AOR)).size === 0);
    phone.write('quit\n');
    await phone.end(8000);
  });
});
