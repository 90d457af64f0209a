// Waits in milliseconds, as all parts with timers return them: 0 where work is due, -1 where there is none to wait for.
// @hot

export function sooner(a: number, b: number): number {
  return a < 0 || (b >= 0 && b < a) ? b : a;
}
