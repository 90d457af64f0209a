// Time that only passes: milliseconds of the machine's monotonic clock, the same in every thread of the process. For how long something
// has been; when it was, only a clock that can be set knows.
// @hot

/** performance.now() counts from the start of its thread, hrtime from that of the machine. */
const THREAD_BEGAN = Number(process.hrtime.bigint()) / 1e6 - performance.now();

export function monotonicMs(): number {
  return THREAD_BEGAN + performance.now();
}
