// AssemblyScript. Reads the request in the span table, and the module's inputs.

import { TABLE_ADDRESS } from '../../../sip/parser/memory-map.ts';
import { ROW_INTS, T_ROWS } from '../../../sip/parser/span-table.ts';
import { TOLD } from '../module-memory.ts';

// @ts-ignore: decorator
@inline
export function entry(index: i32): i32 {
  return load<i32>(TABLE_ADDRESS + (index << 2));
}

/** Field of a header row, by its number. */
// @ts-ignore: decorator
@inline
export function rowField(row: i32, field: i32): i32 {
  return load<i32>(TABLE_ADDRESS + ((T_ROWS + row * ROW_INTS + field) << 2));
}

/** An input word, IN_*. Loaded unsigned: the optimizer sign-extends a signed load, even where the code asks for none. */
// @ts-ignore: decorator
@inline
export function told(index: i32): i32 {
  return <i32>load<u32>(TOLD + (index << 2));
}

// @ts-ignore: decorator
@inline
export function lower(byte: i32): i32 {
  return <u32>(byte - 0x41) < 26 ? byte | 0x20 : byte;
}
