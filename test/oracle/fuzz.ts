// `npm run fuzz -- [MESSAGES] [SEED]`: over mutated messages, ten million if nothing is said, the parser against the oracle, and over
// the same ones all that the registrar's module writes.

import { numberWords } from '../support/number-words.ts';
import { difference } from './difference.ts';
import { Mutations } from './mutations.ts';
import { WriterDifference } from './writer-difference.ts';

const HELP = `npm run fuzz -- [MESSAGES] [SEED]

Compares the parser with the readable one of the tests, and what the registrar's module writes with the readable writers, over so
many mutated messages (10000000). The seed makes the same messages again. Exit code 1 at the first difference, which is printed.
`;

const [count = 10_000_000, seed = Date.now() % 1_000_000] = numberWords(HELP);
const started = performance.now();

/** Ends the process at the first message over which `find` finds a difference; the messages' bytes. */
function compare(what: string, find: (bytes: Uint8Array, length: number, turn: number) => string | null): number {
  const mutations = new Mutations(seed);
  let bytes = 0;
  for (let i = 0; i < count; i++) {
    mutations.next();
    bytes += mutations.length;
    let found: string | null;
    try {
      found = find(mutations.bytes, mutations.length, i);
    } catch (error) {
      found = String(error);
    }
    if (found !== null) {
      const text = Buffer.from(mutations.bytes.subarray(0, mutations.length)).toString('latin1');
      console.log(`${what}, message ${i}: ${found}\n${JSON.stringify(text)}`);
      process.exit(1);
    }
    if (i % 1_000_000 === 999_999) console.log(`${what}: ${i + 1} alike`);
  }
  return bytes;
}

console.log(`${count} messages, seed ${seed}`);
const bytes = compare('parser', difference);
const writers = new WriterDifference(seed);
compare('writer', (message, length) => writers.find(message, length));
const seconds = (performance.now() - started) / 1000;
console.log(
  `no difference in ${count} messages of ${Math.round(bytes / count)} bytes on average, in ${writers.images} images and ` +
    `${writers.refreshes} refreshes, ${seconds.toFixed(0)} s`,
);
