// `npm run bench:shared-location -- [AORS] [SECONDS]`: the read model at work. Lookups in another process, how late it sees 10,000 changes a second,
// and the CPU of the thread that writes it, idle, under changes and under refreshes.

import { fork } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { MessageChannel } from 'node:worker_threads';
import { DEFAULT_POLICY } from '../../src/core/uas/policy.ts';
import { openLogStore } from '../../src/location/open-log-store.ts';
import { ChangedKeys } from '../../src/location/shared/changed-keys.ts';
import { Bell, flagWake } from '../../src/shard/rings/bell.ts';
import type { SharedLocations } from '../../src/threads/shared-location/shared-locations.ts';
import { Registrations } from './registrations.ts';

const [aors = 1_000_000, seconds = 10] = process.argv.slice(2).map(Number);
const CHANGES = 10_000;
const BATCH = 50;
const WATCHED = 2000;
const TICKS = 100; // of the kernel's clock, a second

/** CPU seconds of each thread of this process so far. */
function threads(): Map<string, number> {
  const found = new Map<string, number>();
  for (const tid of readdirSync('/proc/self/task')) {
    const fields = readFileSync(`/proc/self/task/${tid}/stat`, 'latin1')
      .replace(/^.*\) /, '')
      .split(' ');
    found.set(tid, (Number(fields[11]) + Number(fields[12])) / TICKS);
  }
  return found;
}

const data = mkdtempSync(join(tmpdir(), 'aorta-shared-'));
const before = threads();
const store = openLogStore(join(data, 'shard-0'), 'process');
const secret = Buffer.alloc(32, 7);
const policy = { ...DEFAULT_POLICY, domains: ['example.com'] };
// As built: its thread's program lies beside it.
const built = pathToFileURL(resolve('dist/threads/shared-location/shared-locations.js')).href;
const library = (await import(/* @vite-ignore */ built)) as { SharedLocations: typeof SharedLocations };
const shared = new library.SharedLocations({
  data,
  shards: 1,
  secret,
  policy,
  log: (...said) => console.error(...said),
});
const { keys, bell } = shared.memoryOf(0);
const reader = new Bell(bell, flagWake(bell));
console.log(`registering ${aors} AORs …`);
const registrations = new Registrations(store, secret);
for (let n = 0; n < aors; n += 512) registrations.register(n, Math.min(512, aors - n));

store.changes = new ChangedKeys(keys, () => reader.ring());
const { port1, port2 } = new MessageChannel();
const begun = performance.now();
shared.opened(0, {
  directory: join(data, 'shard-0'),
  parts: store.share((news) => port1.postMessage(news)),
  port: port2,
});
await delay(200);
const writer = [...threads().keys()].filter((tid) => !before.has(tid));
const busy = () => writer.reduce((sum, tid) => sum + (threads().get(tid) ?? 0), 0);
const child = fork(fileURLToPath(new URL('./reader.js', import.meta.url)), [data, String(aors)], { stdio: 'inherit' });
const said = (type: string) =>
  new Promise<Record<string, number>>((resolve) => {
    child.on('message', (message: { type: string; figures: Record<string, number> }) => {
      if (message.type === type) resolve(message.figures);
    });
  });
await said('open');
console.log(
  `made in ${((performance.now() - begun) / 1000).toFixed(1)} s, ${((busy() / aors) * 1e6).toFixed(1)} us of CPU an AOR`,
);
console.log('lookups in another process, us each:', await said('lookups'));

async function load(name: string, refreshes: boolean): Promise<void> {
  const cpu = busy();
  const begin = performance.now();
  let done = 0;
  for (let batch = 0; performance.now() - begin < seconds * 1000; batch++) {
    // Changes come back to the same AORs soon, so that the reader sees some of each.
    const from = (batch * BATCH) % (refreshes ? aors : WATCHED);
    if (refreshes) registrations.refresh(from, BATCH);
    else registrations.register(from, BATCH);
    done += BATCH;
    const ahead = (done / CHANGES) * 1000 - (performance.now() - begin);
    if (ahead > 1) await delay(ahead);
  }
  const rate = Math.round(done / ((performance.now() - begin) / 1000));
  const each = ((busy() - cpu) / done) * 1e6;
  console.log(`${name}: ${rate}/s, ${each.toFixed(2)} us of the thread's CPU each`);
}

const idle = busy();
await delay(seconds * 1000);
console.log(`idle: ${(((busy() - idle) / seconds) * 100).toFixed(1)}% of a core`);
await load('refreshes', true);
child.send('watch');
await load('changes', false);
const lag = said('lag');
child.send('done');
console.log('a change is seen after, ms:', await lag);
child.kill();
await shared.close();
store.close();
port1.close();
rmSync(data, { recursive: true, force: true });
