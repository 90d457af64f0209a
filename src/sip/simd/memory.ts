// AssemblyScript. Access to the span table and its records. Records are named by their address, fields by their
// index in span-table.ts; the slab starts at address 0, so that a span's offsets are addresses too.

import { TABLE_ADDRESS } from '../parser/memory-map.ts';
import { E_OK } from '../parser/parse-error.ts';
import { T_ERROR, T_ERROR_AT, T_ERROR_HEADER } from '../parser/span-table.ts';

/** The address of an entry of the table. */
// @ts-ignore: decorator
@inline
export function addressOf(index: i32): i32 {
  return TABLE_ADDRESS + (index << 2);
}

// @ts-ignore: decorator
@inline
export function entry(index: i32): i32 {
  return load<i32>(TABLE_ADDRESS + (index << 2));
}

// @ts-ignore: decorator
@inline
export function setEntry(index: i32, value: i32): void {
  store<i32>(TABLE_ADDRESS + (index << 2), value);
}

/** Field of the record at an address. */
// @ts-ignore: decorator
@inline
export function field(record: i32, index: i32): i32 {
  return load<i32>(record + (index << 2));
}

// @ts-ignore: decorator
@inline
export function setField(record: i32, index: i32, value: i32): void {
  store<i32>(record + (index << 2), value);
}

/** Sets two adjacent fields: a span. */
// @ts-ignore: decorator
@inline
export function setSpan(record: i32, index: i32, at: i32, end: i32): void {
  store<i32>(record + (index << 2), at);
  store<i32>(record + (index << 2) + 4, end);
}

/** Notes the error E_* found at an offset in a header H_*, unless an earlier one is noted. */
export function fail(error: i32, at: i32, header: i32): void {
  if (entry(T_ERROR) != E_OK) return;
  setEntry(T_ERROR, error);
  setEntry(T_ERROR_AT, at);
  setEntry(T_ERROR_HEADER, header);
}
