// AssemblyScript. What the module reads of the request in the span table, and of what it is told.

import { TABLE_ADDRESS } from '../../../sip/parser/memory-map.ts';
import {
  CONTACT_INSTANCE_AT,
  CONTACT_INSTANCE_END,
  ROW_INTS,
  T_CONTACTS,
  T_REQUIRE,
  T_ROWS,
  T_SUPPORTED,
} from '../../../sip/parser/span-table.ts';
import { REFRESH_IN } from '../refresh-memory.ts';

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

/** Field of the first contact. */
// @ts-ignore: decorator
@inline
export function contact(field: i32): i32 {
  return entry(T_CONTACTS + field);
}

/** A word that the module is told, IN_*. Loaded unsigned: the optimizer widens a signed load with its sign, whatever was asked for. */
// @ts-ignore: decorator
@inline
export function told(index: i32): i32 {
  return <i32>load<u32>(REFRESH_IN + (index << 2));
}

/** Whether the client knows one of the options. */
// @ts-ignore: decorator
@inline
export function supports(options: i32): bool {
  return ((entry(T_SUPPORTED) | entry(T_REQUIRE)) & options) != 0;
}

/** Where the first contact's instance ID begins, behind its quote and bracket; -1 where it has none (instance-id.ts). */
export function instanceAt(): i32 {
  const at = contact(CONTACT_INSTANCE_AT);
  const end = contact(CONTACT_INSTANCE_END);
  if (at < 0 || end - at <= 2 || load<u8>(at) != 0x3c || load<u8>(end - 1) != 0x3e) return -1;
  return at + 1;
}

// @ts-ignore: decorator
@inline
export function instanceEnd(): i32 {
  return contact(CONTACT_INSTANCE_END) - 1;
}

// @ts-ignore: decorator
@inline
export function lower(byte: i32): i32 {
  return <u32>(byte - 0x41) < 26 ? byte | 0x20 : byte;
}
