// The Via list (RFC 3261 §20.42; RFC 3581; RFC 5118 §4.5; RFC 6223): values in any number of rows and commas, in order.

import { VIAS_MAX } from '../../src/sip/parser/limits.ts';
import { E_TOO_MANY_VIAS, E_VIA } from '../../src/sip/parser/parse-error.ts';
import {
  ABSENT,
  H_VIA,
  PARAM_INTS,
  PARAM_NAME_AT,
  PARAM_NAME_END,
  PARAM_VALUE_AT,
  PARAM_VALUE_END,
  ROW_INTS,
  ROW_NEXT,
  ROW_VALUE_AT,
  ROW_VALUE_END,
  T_FIRST_ROW,
  T_PARAM_COUNT,
  T_PARAMS,
  T_ROWS,
  T_VIA_COUNT,
  T_VIAS,
  VIA_AT,
  VIA_BRANCH_AT,
  VIA_BRANCH_END,
  VIA_END,
  VIA_HOST_AT,
  VIA_HOST_END,
  VIA_INTS,
  VIA_KEEP_AT,
  VIA_KEEP_END,
  VIA_MADDR_AT,
  VIA_MADDR_END,
  VIA_PORT,
  VIA_RECEIVED_AT,
  VIA_RECEIVED_END,
  VIA_RPORT_AT,
  VIA_RPORT_END,
  VIA_TRANSPORT_AT,
  VIA_TRANSPORT_END,
} from '../../src/sip/parser/span-table.ts';
import { ascii } from '../../src/sip/writer.ts';
import { fail } from './failure.ts';
import { slab as theSlab, table as theTable } from './memory.ts';
import { BAD, paramAt, paramEnd, readParams } from './params.ts';
import {
  COLON,
  COMMA,
  DIGIT,
  decimal,
  hostEnd,
  isText,
  LWS,
  QUOTE,
  quotedEnd,
  SLASH,
  skip,
  TOKEN,
  trimEnd,
} from './scanner.ts';

// Constants of this module: V8 compiles their addresses in, while it loads an import each time it is used.
const slab = theSlab;
const table = theTable;

const BRANCH = ascii('branch');
const RPORT = ascii('rport');
const RECEIVED = ascii('received');
const MADDR = ascii('maddr');
const KEEP = ascii('keep');
const PORT_MAX = 65_535;

/**
 * Fills the Via records. Only the top value must be well formed: E_VIA otherwise, and T_VIA_COUNT is 0 and the first
 * record absent where not even its sent-by could be read. Malformed lower values are left out.
 */
export function parseVias(): void {
  takeVias();
  if (table[T_VIA_COUNT] === 0) table.fill(ABSENT, T_VIAS, T_VIAS + VIA_INTS);
}

function takeVias(): void {
  for (let row = table[T_FIRST_ROW + H_VIA]; row !== ABSENT; ) {
    const base = T_ROWS + row * ROW_INTS;
    const end = table[base + ROW_VALUE_END];
    let p = table[base + ROW_VALUE_AT];
    for (;;) {
      const stop = takeVia(p, end);
      if (stop < 0) return;
      if (stop === end) break;
      p = skip(slab, stop + 1, end, LWS);
    }
    row = table[base + ROW_NEXT];
  }
}

/** Takes one value into the next record; returns the offset of the comma behind it or `end`, BAD to stop. */
function takeVia(at: number, end: number): number {
  const count = table[T_VIA_COUNT];
  if (count === VIAS_MAX) {
    fail(E_TOO_MANY_VIAS, at, H_VIA);
    return BAD;
  }
  const base = T_VIAS + count * VIA_INTS;
  const params = readSentBy(at, end, base);
  let stop = params < 0 ? BAD : readParams(params, end);
  if (stop >= 0 && stop !== end && slab[stop] !== COMMA) stop = BAD;
  if (params >= 0 && (stop >= 0 || count === 0)) {
    takeParams(base);
    table[base + VIA_AT] = at;
    table[base + VIA_END] = trimEnd(slab, at, stop < 0 ? valueEnd(at, end) : stop);
    table[T_VIA_COUNT] = count + 1;
  }
  table[T_PARAM_COUNT] = 0;
  if (stop >= 0) return stop;
  if (count === 0) fail(stop < BAD ? -stop : E_VIA, at, H_VIA);
  return count === 0 && params < 0 ? BAD : valueEnd(at, end);
}

/** `SIP / 2.0 / UDP host [ : port ]` with LWS where the grammar allows it; returns the offset behind it, or BAD. */
function readSentBy(at: number, end: number, base: number): number {
  let p = at;
  for (let part = 0; part < 2; part++) {
    const token = p;
    p = skip(slab, p, end, TOKEN);
    if (p === token) return BAD;
    p = skip(slab, p, end, LWS);
    if (p >= end || slab[p] !== SLASH) return BAD;
    p = skip(slab, p + 1, end, LWS);
  }
  const transportEnd = skip(slab, p, end, TOKEN);
  const host = skip(slab, transportEnd, end, LWS);
  if (transportEnd === p || host === transportEnd) return BAD;
  const stop = hostEnd(slab, host, end);
  if (stop < 0) return BAD;
  for (let i = base; i < base + VIA_INTS; i++) table[i] = ABSENT;
  table[base + VIA_TRANSPORT_AT] = p;
  table[base + VIA_TRANSPORT_END] = transportEnd;
  table[base + VIA_HOST_AT] = host;
  table[base + VIA_HOST_END] = stop;
  p = skip(slab, stop, end, LWS);
  if (p >= end || slab[p] !== COLON) return stop;
  const port = skip(slab, p + 1, end, LWS);
  const portEnd = skip(slab, port, end, DIGIT);
  const value = decimal(slab, port, portEnd);
  if (value < 0 || value > PORT_MAX) return BAD;
  table[base + VIA_PORT] = value;
  return portEnd;
}

/** Where a value that could not be read ends: at the next comma outside quotes. */
function valueEnd(at: number, end: number): number {
  let p = at;
  while (p < end && slab[p] !== COMMA) {
    p = slab[p] === QUOTE ? quotedEnd(slab, p, end) : p + 1;
    if (p < 0) return end;
  }
  return p;
}

function takeParams(base: number): void {
  const end = T_PARAMS + table[T_PARAM_COUNT] * PARAM_INTS;
  for (let row = T_PARAMS; row < end; row += PARAM_INTS) {
    const name = table[row + PARAM_NAME_AT];
    const nameEnd = table[row + PARAM_NAME_END];
    switch (nameEnd - name) {
      case 4:
        if (isText(slab, name, nameEnd, KEEP)) takeWhole(row, base, VIA_KEEP_AT, VIA_KEEP_END);
        break;
      case 5:
        if (isText(slab, name, nameEnd, RPORT)) takeWhole(row, base, VIA_RPORT_AT, VIA_RPORT_END);
        else if (isText(slab, name, nameEnd, MADDR)) takeValue(row, base, VIA_MADDR_AT, VIA_MADDR_END);
        break;
      case 6:
        if (isText(slab, name, nameEnd, BRANCH)) takeValue(row, base, VIA_BRANCH_AT, VIA_BRANCH_END);
        break;
      case 8:
        if (isText(slab, name, nameEnd, RECEIVED)) takeWhole(row, base, VIA_RECEIVED_AT, VIA_RECEIVED_END);
        break;
    }
  }
}

function takeValue(row: number, base: number, at: number, end: number): void {
  table[base + at] = table[row + PARAM_VALUE_AT];
  table[base + end] = table[row + PARAM_VALUE_END];
}

function takeWhole(row: number, base: number, at: number, end: number): void {
  table[base + at] = paramAt(row);
  table[base + end] = paramEnd(row);
}
