// `npm run fuzz -- [MESSAGES] [SEED]`: the parser against the oracle over mutated messages, ten million if nothing is said.

import { difference } from './difference.ts';
import { Mutations } from './mutations.ts';

const [count = 10_000_000, seed = Date.now() % 1_000_000] = process.argv.slice(2).map(Number);
const mutations = new Mutations(seed);
const started = performance.now();
let bytes = 0;
console.log(`${count} messages, seed ${seed}`);
for (let i = 0; i < count; i++) {
  mutations.next();
  bytes += mutations.length;
  let found: string | null;
  try {
    found = difference(mutations.bytes, mutations.length, i);
  } catch (error) {
    found = String(error);
  }
  if (found !== null) {
    const text = Buffer.from(mutations.bytes.subarray(0, mutations.length)).toString('latin1');
    console.log(`message ${i}: ${found}\n${JSON.stringify(text)}`);
    process.exit(1);
  }
  if (i % 1_000_000 === 999_999) console.log(`${i + 1} alike`);
}
const seconds = (performance.now() - started) / 1000;
console.log(
  `no difference in ${count} messages of ${Math.round(bytes / count)} bytes on average, ${seconds.toFixed(0)} s`,
);
