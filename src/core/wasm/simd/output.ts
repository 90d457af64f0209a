// AssemblyScript. The module's output: one position at a time, sixteen bytes at once. Up to fifteen bytes behind the
// output are overwritten, and as many behind a copied span are read; no reader uses either.

import { TEXT_BYTES, TEXTS_AT } from '../module-memory.ts';

/** Address of the next byte. */
export let at: i32 = 0;

export function startAt(address: i32): void {
  at = address;
}

// @ts-ignore: decorator
@inline
export function byte(value: i32): void {
  store<u8>(at, value);
  at++;
}

/** Copies bytes [from, end); none where the span is absent or empty. */
export function copy(from: i32, end: i32): void {
  const length = end - from;
  if (length <= 0) return;
  const to = at;
  for (let i = 0; i < length; i += 16) v128.store(to + i, v128.load(from + i));
  at = to + length;
}

/** A constant text, TEXT_*, of at most 32 bytes. */
// @ts-ignore: decorator
@inline
export function text(number: i32): void {
  const from = TEXTS_AT + number * TEXT_BYTES;
  v128.store(at, v128.load(from));
  v128.store(at + 16, v128.load(from + 16));
  at += load<u8>(from + TEXT_BYTES - 1);
}

/** A constant text of any length that fits its place. */
export function longText(number: i32): void {
  const from = TEXTS_AT + number * TEXT_BYTES;
  copy(from, from + load<u8>(from + TEXT_BYTES - 1));
}

// @ts-ignore: decorator
@inline
export function endLine(): void {
  store<u16>(at, 0x0a0d);
  at += 2;
}

/** Writes decimal digits. */
export function decimal(value: u32): void {
  let digits = 1;
  for (let bound: u64 = 10; bound <= <u64>value; bound *= 10) digits++;
  let rest = value;
  for (let p = at + digits - 1; p >= at; p--) {
    const tenth = rest / 10;
    store<u8>(p, 0x30 + rest - tenth * 10);
    rest = tenth;
  }
  at += digits;
}

/** Sixteen hexadecimal digits, the highest first. */
export function hex(high: i32, low: i32): void {
  const bytes = i64x2.splat(bswap((<u64>high << 32) | (<u64>low & 0xffffffff)));
  const highs = v128.and(i16x8.shr_u(bytes, 4), i8x16.splat(15));
  const lows = v128.and(bytes, i8x16.splat(15));
  const digits = v128.shuffle<u8>(highs, lows, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
  const letters = v128.and(i8x16.gt_s(digits, i8x16.splat(9)), i8x16.splat(39));
  v128.store(at, i8x16.add(i8x16.add(digits, i8x16.splat(0x30)), letters));
  at += 16;
}
