// The occupied buckets of a wheel, a bit each, and the time until the next of them. @hot

/** @param occupied a bit per bucket; a power of two of words @param tick the wheel's current one. @returns 1 to the number of buckets */
export function ticksToOccupied(occupied: Int32Array, tick: number): number {
  const words = occupied.length;
  const buckets = words << 5;
  const from = (tick + 1) & (buckets - 1);
  const first = from >> 5;
  for (let step = 0; step <= words; step++) {
    const at = (first + step) & (words - 1);
    let word = occupied[at];
    if (step === 0) word &= -1 << (from & 31);
    if (step === words) word &= ~(-1 << (from & 31));
    if (word === 0) continue;
    const bucket = (at << 5) + 31 - Math.clz32(word & -word);
    return ((bucket - from) & (buckets - 1)) + 1;
  }
  return buckets;
}

/** Milliseconds until the next occupied bucket is due, 0 when it is. */
export function msToOccupied(occupied: Int32Array, tick: number, tickMs: number, nowMs: number): number {
  const ticks = ticksToOccupied(occupied, tick);
  const ms = Math.ceil((tick + ticks) * tickMs - nowMs);
  if (ms <= 0) return 0;
  return Math.min(ms, Math.ceil(ticks * tickMs)); // a clock that was set back must not make the wait longer
}
