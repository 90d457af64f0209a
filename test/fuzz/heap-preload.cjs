// Loaded into a server before its code: at SIGUSR2 it writes a heap snapshot of every thread (a full collection comes first) into
// AORTA_HEAPS, then a file `done`.

const { createWriteStream, writeFileSync } = require('node:fs');
const { join } = require('node:path');
const { pipeline } = require('node:stream/promises');
const { getHeapSnapshot } = require('node:v8');
const { isMainThread } = require('node:worker_threads');

if (isMainThread && process.env.AORTA_HEAPS) {
  const folder = process.env.AORTA_HEAPS;
  const workers = new Set();
  process.on('worker', (worker) => {
    workers.add(worker);
    worker.once('exit', () => workers.delete(worker));
  });
  const write = (name, stream) => pipeline(stream, createWriteStream(join(folder, `${name}.heapsnapshot`)));
  process.on('SIGUSR2', async () => {
    await write('main', getHeapSnapshot());
    for (const worker of workers) await write(`worker-${worker.threadId}`, await worker.getHeapSnapshot());
    writeFileSync(join(folder, 'done'), '');
  });
}
