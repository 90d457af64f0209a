// Loaded into the server of `cycles` by --import, in its main thread and in each shard's: collects garbage when it is asked, gives
// freed pages back, and says what is left.

import { createRequire } from 'node:module';
import { join } from 'node:path';
import { getEnvironmentData, isMainThread, setEnvironmentData } from 'node:worker_threads';

const REPORTER = 'AORTA_CYCLES_REPORTER';
/** Words that main thread and shard share: collections asked for, and done by the shard; KiB that it uses then. */
const ASKED = 0;
const DONE = 1;
const SHARD_KIB = 2;

export interface Held {
  readonly heapUsed: number;
  readonly external: number;
  readonly shardHeapUsed: number;
}

/** Inside the server: on a word from the parent, collects everywhere, trims, and tells what is left. */
function report(): void {
  const words = new Int32Array(new SharedArrayBuffer(12));
  setEnvironmentData(REPORTER, words);
  const library = createRequire(join(process.cwd(), 'package.json'))('koffi').load(null);
  const trim = library.func('malloc_trim', 'int', ['size_t']) as (pad: number) => number;
  process.on('message', async () => {
    const asked = Atomics.add(words, ASKED, 1) + 1;
    while (Atomics.load(words, DONE) !== asked) await new Promise((resolve) => setTimeout(resolve, 20));
    collect();
    trim(0);
    const { heapUsed, external } = process.memoryUsage();
    process.send?.({ heapUsed, external, shardHeapUsed: words[SHARD_KIB] * 1024 } satisfies Held);
  });
  process.channel?.unref();
}

/** Inside a shard, whose thread never comes out of its loop: the loop asks for the time, and collects when it is wanted. */
function collectInShard(): void {
  const words = getEnvironmentData(REPORTER) as Int32Array;
  const collectIfAsked = () => {
    const asked = Atomics.load(words, ASKED);
    if (asked === Atomics.load(words, DONE)) return;
    collect();
    Atomics.store(words, SHARD_KIB, process.memoryUsage().heapUsed >> 10);
    Atomics.store(words, DONE, asked);
  };
  // Older builds ask the other clock.
  for (const clock of [performance, Date]) {
    const now = clock.now.bind(clock);
    clock.now = () => {
      collectIfAsked();
      return now();
    };
  }
}

/** Twice: what finalizers let go goes with the second. */
function collect(): void {
  for (let i = 0; i < 2; i++) globalThis.gc?.();
}

if (isMainThread) report();
else collectInShard();
