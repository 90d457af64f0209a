// The parser is the oracle's equal, byte for byte: over the torture corpora, over mutated messages, and over long and
// hostile ones. `npm run fuzz` goes on with millions.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { TYPICAL_MESSAGES, variedMessages } from '../../src/commands/bench/sample-messages.ts';
import { difference } from '../oracle/difference.ts';
import { Mutations } from '../oracle/mutations.ts';
import { HOSTILE } from './hostile-messages.ts';

/** Every place with every guard. */
const TURNS = 42;
const FEW_TURNS = 3;
const MUTATED = 50_000;
const encoder = new TextEncoder();

function differs(message: Uint8Array, turns = TURNS): string | null {
  for (let turn = 0; turn < turns; turn++) {
    const found = difference(message, message.length, turn);
    if (found !== null) return found;
  }
  return null;
}

describe('the parser and the oracle agree', () => {
  it.each(['rfc4475', 'rfc5118'])('on every message of %s, and on every beginning of one', (set) => {
    const folder = join(import.meta.dirname, '../vectors', set);
    for (const file of readdirSync(folder).filter((name) => name.endsWith('.dat'))) {
      const bytes = new Uint8Array(readFileSync(join(folder, file)));
      expect(differs(bytes), file).toBeNull();
      for (let end = 0; end < bytes.length; end++) {
        const found = difference(bytes, end, end);
        if (found !== null) expect.fail(`${file}, ${end} bytes of it: ${found}`);
      }
    }
  });

  it('on typical and varied messages', () => {
    for (const text of [...TYPICAL_MESSAGES, ...variedMessages(256)])
      expect(differs(encoder.encode(text)), text).toBeNull();
  });

  it.each(Object.entries(HOSTILE))('on %s', (_, text) => {
    expect(differs(encoder.encode(text(3000)))).toBeNull();
    expect(differs(encoder.encode(text(60_000)).subarray(0, 65_535), FEW_TURNS)).toBeNull();
  });

  it(`on ${MUTATED} mutated messages`, () => {
    const mutations = new Mutations(20_261_122);
    for (let i = 0; i < MUTATED; i++) {
      mutations.next();
      const found = difference(mutations.bytes, mutations.length, i);
      if (found === null) continue;
      const text = String.fromCharCode(...mutations.bytes.subarray(0, mutations.length));
      expect.fail(`message ${i}: ${found}\n${JSON.stringify(text)}`);
    }
  });
});
