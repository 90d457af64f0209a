// `npm run fuzz:server -- [MESSAGES] [REQUESTS] [SEED]`: ten million mutated messages over UDP, TCP and WebSocket and a hundred thousand odd
// HTTP requests at both listeners of a running server, if nothing is said. What every thread keeps at half-time and at the end is
// compared.

import { join } from 'node:path';
import { removeDirectories, temporaryDirectory } from '../support/aorta-process.ts';
import { killAll } from '../support/child-process.ts';
import { numberWords } from '../support/number-words.ts';
import { serverFuzz } from './server-fuzz.ts';

const HELP = `npm run fuzz:server -- [MESSAGES] [REQUESTS] [SEED]

Sends so many mutated messages (10000000) over UDP, TCP and WebSocket and so many odd HTTP requests (100000) to a running server. Exit
code 1 where it crashes, answers 500 or keeps more memory at the end than at half-time.
`;

const [messages = 10_000_000, requests = 100_000, seed = Date.now() % 1_000_000] = numberWords(HELP);
console.log(`${messages} messages, ${requests} HTTP requests, seed ${seed}`);
const started = performance.now();
try {
  const heaps = join(temporaryDirectory(), 'heaps');
  const { kept: _, ...report } = await serverFuzz({
    messages,
    requests,
    seed,
    heaps,
    progress: (line) => console.log(line),
  });
  console.log(JSON.stringify(report));
  console.log(`no crash, no 500 and no leak in ${Math.round((performance.now() - started) / 1000)} s`);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
} finally {
  await killAll();
  removeDirectories();
}
