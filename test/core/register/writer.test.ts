// The registrar's WebAssembly module writes what the oracle writes, byte for byte: keys, answers, images, Contact rows with GRUUs.
// `npm run fuzz` goes on with millions.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TYPICAL_MESSAGES, variedMessages } from '../../../src/commands/bench/sample-messages.ts';
import { Mutations } from '../../oracle/mutations.ts';
import { WriterDifference } from '../../oracle/writer-difference.ts';
import { phone, request } from '../../support/made-up-phones.ts';

const MUTATED = 10_000;
const encoder = new TextEncoder();

function agrees(differences: WriterDifference, message: Uint8Array, length = message.length): void {
  const found = differences.find(message, length);
  if (found !== null)
    expect.fail(`${found}\n${JSON.stringify(Buffer.from(message.subarray(0, length)).toString('latin1'))}`);
}

describe('the module and the oracle write the same', () => {
  it('for typical, varied and made-up messages', () => {
    const differences = new WriterDifference(1);
    for (const text of [...TYPICAL_MESSAGES, ...variedMessages(256)]) agrees(differences, encoder.encode(text));
    fc.assert(
      fc.property(phone, fc.nat(99), (of, cseq) =>
        agrees(differences, Buffer.from(request(of, cseq, `u${cseq}`), 'latin1')),
      ),
      { numRuns: 2000, endOnFailure: true },
    );
    expect(Math.min(differences.images, differences.refreshes)).toBeGreaterThan(1000);
  });

  it('for requests as long as they may be', () => {
    const differences = new WriterDifference(2);
    const of = { via: ['SIP/2.0/UDP h;rport'], user: 'al', to: '', callId: 'c', source: {} };
    for (const bytes of [2000, 16_000, 60_000, 64_000, 65_000])
      for (const rows of [[`Path: <sip:${'p'.repeat(bytes)};lr>`], [`Subject: ${'s'.repeat(bytes)}`], []]) {
        const contact = rows.length > 0 ? '<sip:a@b>' : `<sip:a@b>;+sip.instance="<urn:uuid:1>";x=${'y'.repeat(bytes)}`;
        const text = request({ ...of, contact, rows: [...rows, 'Supported: gruu, path, outbound'] }, 1, 'u');
        if (text.length <= 65_535) agrees(differences, Buffer.from(text, 'latin1'));
      }
    expect(differences.refreshes).toBeGreaterThan(5);
  });

  it(`for ${MUTATED} mutated messages`, () => {
    const mutations = new Mutations(20_261_129);
    const differences = new WriterDifference(3);
    for (let i = 0; i < MUTATED; i++) {
      mutations.next();
      agrees(differences, mutations.bytes, mutations.length);
    }
    expect(differences.images).toBeGreaterThan(500);
  });
});
