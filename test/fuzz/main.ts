// `npm run fuzz:server -- [MESSAGES] [REQUESTS] [SEED]`: ten million mutated messages over UDP, TCP and WebSocket and a hundred thousand odd
// HTTP requests at both listeners of a running server, if nothing is said.

import { removeDirectories } from '../support/aorta-process.ts';
import { killAll } from '../support/child-process.ts';
import { serverFuzz } from './server-fuzz.ts';

const [messages = 10_000_000, requests = 100_000, seed = Date.now() % 1_000_000] = process.argv.slice(2).map(Number);
console.log(`${messages} messages, ${requests} HTTP requests, seed ${seed}`);
const started = performance.now();
try {
  const report = await serverFuzz({ messages, requests, seed, progress: (line) => console.log(line) });
  console.log(JSON.stringify(report));
  console.log(`no crash and no 500 in ${Math.round((performance.now() - started) / 1000)} s`);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
} finally {
  await killAll();
  removeDirectories();
}
