// Monotonic time: milliseconds of the machine's monotonic clock, the same in every thread of the process. It measures durations; points
// in time need a clock that can be set.
// @hot

/** Both clocks are read within so long, or again: a thread suspended between the readings would be off by that for its life. */
const TOGETHER_MS = 0.05;
const READS_MAX = 100;

/** performance.now() counts from the start of its thread, hrtime from that of the machine. */
const THREAD_BEGAN = threadBegan();

function threadBegan(): number {
  let closest = Number.POSITIVE_INFINITY;
  let began = 0;
  for (let reads = 0; reads < READS_MAX && closest > TOGETHER_MS; reads++) {
    const before = machineMs();
    const own = performance.now();
    const apart = machineMs() - before;
    if (apart >= closest) continue;
    closest = apart;
    began = before + apart / 2 - own;
  }
  return began;
}

function machineMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

export function monotonicMs(): number {
  return THREAD_BEGAN + performance.now();
}
