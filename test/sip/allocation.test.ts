// Parsing allocates nothing per message: the heap before and after a million of them.

import { describe, expect, it } from 'vitest';
import { loadMessages } from '../../bench/parts/messages.ts';
import { variedMessages } from '../../src/commands/bench/sample-messages.ts';
import { parse } from '../../src/sip/parser/parser.ts';

const MESSAGES = 1_000_000;
const SAMPLES = 50;
/** What the counting itself and the test runner may take; one object per message would be 16 MB and more. */
const NOISE_BYTES = 2_000_000;

describe('parse', () => {
  it('allocates nothing per message', () => {
    const { at, end } = loadMessages(variedMessages(256));
    const some = (count: number) => {
      for (let i = 0; i < count; i++) parse(at[i & 255], end[i & 255]);
    };
    some(100_000);
    let grown = 0;
    for (let sample = 0; sample < SAMPLES; sample++) {
      const before = process.memoryUsage().heapUsed;
      some(MESSAGES / SAMPLES);
      grown += Math.max(0, process.memoryUsage().heapUsed - before);
    }
    expect(grown).toBeLessThan(NOISE_BYTES);
  });
});
