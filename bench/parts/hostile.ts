// Time that the parser takes for messages made to cost more than they should, at four lengths: does it grow with the length and
// no faster? The exponent of the fit says so: 1 is linear, 2 square. The same on counts of steps is test/sip/linear.test.ts.

import { parse } from '../../src/sip/parser/parser.ts';
import { MESSAGE_BYTES_MAX, slab, slotStart } from '../../src/sip/parser/slab.ts';
import { HOSTILE } from '../../test/sip/hostile-messages.ts';

const LENGTHS = [8_000, 16_000, 32_000, 64_000] as const;

export interface HostileRow {
  readonly message: string;
  /** Best time at the longest length, and per byte of it. */
  readonly us: number;
  readonly nsPerByte: number;
  /** Of the fit of time over length: t = c * length ^ exponent, least squares of the logarithms. */
  readonly exponent: number;
}

/** @param ms time for each message and length */
export function benchHostile(ms: number): HostileRow[] {
  return Object.entries(HOSTILE).map(([message, text]) => {
    const points = LENGTHS.map((length) => {
      const bytes = new TextEncoder().encode(text(length)).subarray(0, MESSAGE_BYTES_MAX);
      return { length: bytes.length, ns: bestNs(bytes, ms) };
    });
    const longest = points[points.length - 1];
    return { message, us: longest.ns / 1000, nsPerByte: longest.ns / longest.length, exponent: slope(points) };
  });
}

/** The quickest of many parses. Each starts from the bytes as they came: folds are undone in place. */
function bestNs(bytes: Uint8Array, ms: number): number {
  const at = slotStart(0);
  let best = Number.POSITIVE_INFINITY;
  const until = performance.now() + ms;
  do {
    slab.set(bytes, at);
    const started = process.hrtime.bigint();
    parse(at, at + bytes.length);
    best = Math.min(best, Number(process.hrtime.bigint() - started));
  } while (performance.now() < until);
  return best;
}

function slope(points: readonly { length: number; ns: number }[]): number {
  const xs = points.map(({ length }) => Math.log(length));
  const ys = points.map(({ ns }) => Math.log(ns));
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [x, y] = [mean(xs), mean(ys)];
  const over = xs.reduce((sum, value, i) => sum + (value - x) * (ys[i] - y), 0);
  return over / xs.reduce((sum, value) => sum + (value - x) ** 2, 0);
}
