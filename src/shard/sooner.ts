// Waits in milliseconds, as all that has timers tells them: 0 where there is work, -1 where there is nothing to wait for.
// @hot

export function sooner(a: number, b: number): number {
  return a < 0 || (b >= 0 && b < a) ? b : a;
}
