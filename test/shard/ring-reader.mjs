// A thread that reads a ring until it meets an empty message, and reports a digest of each message and peer it took.

import { createHash } from 'node:crypto';
import { parentPort, workerData } from 'node:worker_threads';
import { Bell, FlagWait, flagWake } from '../../src/shard/rings/bell.ts';
import { Ring } from '../../src/shard/rings/ring.ts';
import { createPeers } from '../../src/sip/sources.ts';

const { memory, bellMemory } = workerData;
const ring = new Ring(memory);
const bell = new Bell(bellMemory, flagWake(bellMemory));
const waiter = new FlagWait(bellMemory);
const into = new Uint8Array(70_000);
const peers = createPeers(4);
const hash = createHash('sha256');
let count = 0;
let timeouts = 0;
for (let ended = false; !ended; ) {
  const length = ring.pop(into, 100, peers, 2);
  if (length < 0) {
    bell.beforeSleep();
    const before = performance.now();
    if (ring.empty) waiter.wait(5000);
    if (performance.now() - before > 4900) timeouts++;
    bell.afterSleep();
  } else if (length === 0) {
    ended = true;
  } else {
    count++;
    hash.update(into.subarray(100, 100 + length));
    hash.update(
      `${ring.kind} ${peers.transport[2]} ${peers.listener[2]} ${peers.family[2]} ${peers.answeredByMain[2]}`,
    );
    hash.update(`${peers.port[2]} ${peers.flow[2]} ${peers.ip.subarray(32, 48)} ${peers.local.subarray(32, 48)}`);
  }
}
parentPort.postMessage({ count, timeouts, digest: hash.digest('hex') });
