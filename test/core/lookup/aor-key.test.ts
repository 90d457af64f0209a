// AORs that people and programs name, as text: the same whether they are read as they stand or as a SIP URI.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createAorReader } from '../../../src/core/lookup/aor-key.ts';

const read = createAorReader(new Uint8Array(32).fill(7));

function seen(text: string): unknown {
  const named = read(text);
  if (named === undefined) return undefined;
  const { text: canonical, key, length, hostAt } = named;
  return [canonical, [...key], Buffer.from(named.canonical.subarray(0, length)).toString(), hostAt];
}

describe('an address-of-record as text', () => {
  it('R3261-10.3-14 R3261-10.3-15 R3261-10.3-16 is what its SIP URI is, whatever it is made of', () => {
    const characters = fc.constantFrom(...'aZ09-_.+@@..--', '%', ':', ';', 'é', '[', ' ', '!');
    const text = fc.string({ unit: characters, maxLength: 14 });
    fc.assert(
      fc.property(text, (aor) => {
        expect([aor, seen(aor)]).toEqual([aor, seen(`sip:${aor}`)]);
      }),
      { numRuns: 20_000 },
    );
  });

  it('is read in every usual form', () => {
    const known = seen('sip:alice@example.com');
    for (const form of [
      'alice@example.com',
      'alice@EXAMPLE.com',
      'sip:%61lice@example.com;user=phone',
      'SIPS:alice@example.com:5061',
    ])
      expect([form, seen(form)]).toEqual([form, known]);
    expect(seen('Alice@example.com')).not.toEqual(known);
    for (const none of ['alice', '@example.com', 'alice@', 'alice@exa mple.com', 'a@b@c'])
      expect([none, seen(none)]).toEqual([none, undefined]);
  });
});
