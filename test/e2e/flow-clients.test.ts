// baresip as a phone with flows and a GRUU (RFC 5626, RFC 5627) against a running Aorta: two flows of one instance, refreshed
// and taken back one by one, and a GRUU that it takes from the answer and uses.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Aorta, removeDirectories } from '../support/aorta-process.ts';
import { startPhone } from '../support/baresip-phone.ts';
import { killAll, poll } from '../support/child-process.ts';
import { peerMissing } from '../support/peers.ts';
import { contacts, SipClient } from '../support/sip-client.ts';

const AOR = 'alice@example.com';
const UUID = '6fd4e0a2-53f6-4e4b-93a1-9a4c5e1b7d20';

describe.skipIf(peerMissing('baresip'))('baresip with flows', () => {
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

  it('R5626-6-08 R5626-6-10 R5627-5.2-02 R5627-6.1-02 keeps two flows of one instance, and has a GRUU', async () => {
    const proxy = `sip:127.0.0.1:${aorta.port}`;
    const phone = startPhone({ aor: AOR, proxy, interval: 5, uuid: UUID });

    await poll('both flows', 8000, async () => (await client.fetchContacts(AOR)).length === 2);
    const flows = await client.fetchContacts(AOR);
    for (const regId of [1, 2]) expect(flows.filter((row) => row.includes(`;reg-id=${regId}`))).toHaveLength(1);
    for (const row of flows) expect(row).toContain(`;+sip.instance="<urn:uuid:${UUID}>"`);
    await phone.until(/Require: outbound/, 2000);
    await phone.until(new RegExp(`;pub-gruu="sip:${AOR};gr=urn:uuid:${UUID}"`), 2000);
    await phone.until(/;temp-gruu="sip:[\w-]{64}@example\.com;gr"/, 2000);
    const temporary = /;temp-gruu="([^"]*)"/.exec(phone.stdout)?.[1] ?? '';
    for (const gruu of [`sip:${AOR};gr=urn:uuid:${UUID}`, temporary]) {
      const answer = await client.request(client.other('MESSAGE', gruu));
      expect([gruu, answer.status, contacts(answer).length], 'by one of its flows').toEqual([gruu, 302, 1]);
    }

    phone.signal('SIGTERM');
    await poll('the unregistration', 5000, async () => (await client.fetchContacts(AOR)).length === 0);
    await phone.end(8000);
    expect(phone.stdout).not.toMatch(/SIP\/2\.0 [45]\d\d/);
  });
});
