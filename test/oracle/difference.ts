// The parser against the oracle, one message at a time: the same table, the same code, the same bytes afterwards, and
// nothing read or written outside the message. What lies around it is chosen to tempt.

import { MEMORY_PAGES, SLACK } from '../../src/sip/parser/memory-map.ts';
import { parse } from '../../src/sip/parser/parser.ts';
import { memory, table } from '../../src/sip/parser/slab.ts';
import * as T from '../../src/sip/parser/span-table.ts';
import { slab as oracleSlab, table as oracleTable } from './memory.ts';
import { parse as oracleParse } from './parser.ts';

const bytes = new Uint8Array(memory.buffer);
const MEMORY_BYTES = MEMORY_PAGES * 65_536;
const GUARD = 80;

const GUARDS: readonly Uint8Array[] = [
  '\r',
  '\n',
  '\r\n',
  ' ',
  '\0',
  '\xff',
  '>',
  '"',
  '0',
  'a',
  ':',
  ';a=b',
  '\r\n\r\n',
  '@h',
].map((text) => Uint8Array.from({ length: GUARD }, (_, i) => text.charCodeAt(i % text.length)));

/** Where messages are put: at the memory's start, in the midst of it, and so that its end is `SLACK` behind the message. */
const PLACES = 3;

function guardedCopy(message: Uint8Array, length: number, at: number, guard: Uint8Array): void {
  const end = at + length;
  bytes.set(message.subarray(0, length), at);
  bytes.set(guard.subarray(0, Math.min(GUARD, MEMORY_BYTES - end)), end);
  if (at >= GUARD) bytes.set(guard, at - GUARD);
  oracleSlab.set(message.subarray(0, length), at);
}

function sameInts(from: number, to: number): number {
  for (let i = from; i < to; i++) if (table[i] !== oracleTable[i]) return i;
  return -1;
}

/** Index of the first entry in use that differs, or -1. */
function differingEntry(): number {
  const areas = [
    [0, T.T_ROWS],
    [T.T_ROWS, T.T_ROWS + table[T.T_HEADER_COUNT] * T.ROW_INTS],
    [T.T_VIAS, T.T_VIAS + Math.max(1, table[T.T_VIA_COUNT]) * T.VIA_INTS],
    [T.T_CONTACTS, T.T_CONTACTS + table[T.T_CONTACT_COUNT] * T.CONTACT_INTS],
    [T.T_PARAMS, T.T_PARAMS + table[T.T_PARAM_COUNT] * T.PARAM_INTS],
  ];
  for (const [from, to] of areas) {
    const index = sameInts(from, to);
    if (index >= 0) return index;
  }
  return -1;
}

function differingByte(at: number, end: number, guard: Uint8Array): number {
  for (let i = at; i < end; i++) if (bytes[i] !== oracleSlab[i]) return i;
  for (let i = 0; i < GUARD && end + i < MEMORY_BYTES; i++) if (bytes[end + i] !== guard[i]) return end + i;
  if (at < GUARD) return -1;
  for (let i = 0; i < GUARD; i++) if (bytes[at - GUARD + i] !== guard[i]) return at - GUARD + i;
  return -1;
}

/**
 * Parses message[0, length) with both; null where they agree, else what differs.
 * @param turn chooses the place and the guard
 */
export function difference(message: Uint8Array, length: number, turn: number): string | null {
  const place = turn % PLACES;
  const at = place === 0 ? 0 : place === 1 ? 1_000_003 : MEMORY_BYTES - SLACK - length;
  const end = at + length;
  const guard = GUARDS[turn % GUARDS.length];
  guardedCopy(message, length, at, guard);
  const error = parse(at, end);
  const expected = oracleParse(at, end);
  if (error !== expected) return `code ${error}, the oracle's ${expected}`;
  const entry = differingEntry();
  if (entry >= 0) return `entry ${entry}: ${table[entry]}, the oracle's ${oracleTable[entry]} (message at ${at})`;
  const byte = differingByte(at, end, guard);
  return byte < 0 ? null : `byte ${byte - at} of ${length} is ${bytes[byte]} afterwards`;
}
