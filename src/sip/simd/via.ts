// AssemblyScript. The Via list (RFC 3261 §20.42; RFC 3581; RFC 5118 §4.5; RFC 6223): values over any rows and
// commas, in order.

import { VIAS_MAX } from '../parser/limits.ts';
import { E_TOO_MANY_VIAS, E_VIA } from '../parser/parse-error.ts';
import {
  ABSENT,
  H_VIA,
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
  VIA_HOST_AT,
  VIA_INTS,
  VIA_KEEP_AT,
  VIA_MADDR_AT,
  VIA_PORT,
  VIA_RECEIVED_AT,
  VIA_RPORT_AT,
  VIA_TRANSPORT_AT,
} from '../parser/span-table.ts';
import { addressOf, entry, fail, field, setEntry, setField, setSpan } from './memory.ts';
import { BAD, PARAM_BYTES, paramAt, paramEnd, paramRowsEnd, readParams } from './params.ts';
import {
  behindLws,
  byteAt,
  COLON,
  COMMA,
  decimal,
  digitsEnd,
  foldedWord,
  hostEnd,
  QUOTE,
  quotedEnd,
  SLASH,
  tokenEnd,
  trimEnd,
} from './scan.ts';

const PORT_MAX: i64 = 65_535;
const SIP_2_0_SLASH: u64 = 0x2f302e322f504953;
const KEEP: u64 = 0x7065656b;
const RPORT: u64 = 0x74726f7072;
const MADDR: u64 = 0x726464616d;
const BRANCH: u64 = 0x68636e617262;
const RECEIVED: u64 = 0x6465766965636572;

/**
 * Fills the Via records. Only the top value must be well formed: else E_VIA, with T_VIA_COUNT 0 and an absent first record
 * if even its sent-by could not be read. Malformed lower values are left out.
 */
export function parseVias(): void {
  storeVias();
  if (entry(T_VIA_COUNT) == 0) clear(addressOf(T_VIAS));
}

// @ts-ignore: decorator
@inline
function clear(record: i32): void {
  const absent = i32x4.splat(ABSENT);
  // VIA_INTS is 17: four times four and one.
  v128.store(record, absent);
  v128.store(record + 16, absent);
  v128.store(record + 32, absent);
  v128.store(record + 48, absent);
  store<i32>(record + 64, ABSENT);
}

// @ts-ignore: decorator
@inline
function storeVias(): void {
  let row = entry(T_FIRST_ROW + H_VIA);
  while (row != ABSENT) {
    const record = addressOf(T_ROWS) + row * (ROW_INTS << 2);
    const end = field(record, ROW_VALUE_END);
    let p = field(record, ROW_VALUE_AT);
    while (true) {
      const stop = storeVia(p, end);
      if (stop < 0) return;
      if (stop == end) break;
      p = behindLws(stop + 1, end);
    }
    row = field(record, ROW_NEXT);
  }
}

/** Reads one value into the next record; returns the offset of the comma behind it or `end`, BAD to stop. */
function storeVia(at: i32, end: i32): i32 {
  const count = entry(T_VIA_COUNT);
  if (count == VIAS_MAX) {
    fail(E_TOO_MANY_VIAS, at, H_VIA);
    return BAD;
  }
  const record = addressOf(T_VIAS) + count * (VIA_INTS << 2);
  const params = readSentBy(at, end, record);
  let stop = params < 0 ? BAD : readParams(params, end);
  if (stop >= 0 && stop != end && byteAt(stop) != COMMA) stop = BAD;
  if (params >= 0 && (stop >= 0 || count == 0)) {
    storeParams(record);
    setSpan(record, VIA_AT, at, trimEnd(at, stop < 0 ? valueEnd(at, end) : stop));
    setEntry(T_VIA_COUNT, count + 1);
  }
  setEntry(T_PARAM_COUNT, 0);
  if (stop >= 0) return stop;
  if (count == 0) fail(stop < BAD ? -stop : E_VIA, at, H_VIA);
  return count == 0 && params < 0 ? BAD : valueEnd(at, end);
}

/** `SIP / 2.0 /` with LWS where the grammar allows it; returns the offset behind it, or BAD. */
function readProtocol(at: i32, end: i32): i32 {
  if (at + 8 <= end && load<u64>(at) == SIP_2_0_SLASH) return behindLws(at + 8, end);
  let p = at;
  for (let part = 0; part < 2; part++) {
    const token = p;
    p = tokenEnd(p);
    if (p == token) return BAD;
    p = behindLws(p, end);
    if (byteAt(p) != SLASH) return BAD;
    p = behindLws(p + 1, end);
  }
  return p;
}

/** `SIP / 2.0 / UDP host [ : port ]`; returns the offset behind it, or BAD. */
function readSentBy(at: i32, end: i32, record: i32): i32 {
  let p = readProtocol(at, end);
  if (p < 0) return BAD;
  const transportEnd = tokenEnd(p);
  const host = behindLws(transportEnd, end);
  if (transportEnd == p || host == transportEnd) return BAD;
  const stop = hostEnd(host, end);
  if (stop < 0) return BAD;
  clear(record);
  setSpan(record, VIA_TRANSPORT_AT, p, transportEnd);
  setSpan(record, VIA_HOST_AT, host, stop);
  p = behindLws(stop, end);
  if (byteAt(p) != COLON) return stop;
  const port = behindLws(p + 1, end);
  const portEnd = digitsEnd(port);
  const value = decimal(port, portEnd);
  if (value < 0 || value > PORT_MAX) return BAD;
  setField(record, VIA_PORT, <i32>value);
  return portEnd;
}

/** End of a value that could not be read: the next comma outside quotes. */
function valueEnd(at: i32, end: i32): i32 {
  let p = at;
  while (p < end && byteAt(p) != COMMA) {
    p = byteAt(p) == QUOTE ? quotedEnd(p, end) : p + 1;
    if (p < 0) return end;
  }
  return p;
}

function storeParams(record: i32): void {
  const last = paramRowsEnd();
  for (let row = addressOf(T_PARAMS); row < last; row += PARAM_BYTES) {
    const name = field(row, PARAM_NAME_AT);
    const length = field(row, PARAM_NAME_END) - name;
    if (length < 4 || length > 8) continue;
    const word = foldedWord(name, length);
    if (length == 6) {
      if (word == BRANCH << 16) setSpan(record, VIA_BRANCH_AT, field(row, PARAM_VALUE_AT), field(row, PARAM_VALUE_END));
    } else if (length == 5) {
      if (word == RPORT << 24) setSpan(record, VIA_RPORT_AT, paramAt(row), paramEnd(row));
      else if (word == MADDR << 24)
        setSpan(record, VIA_MADDR_AT, field(row, PARAM_VALUE_AT), field(row, PARAM_VALUE_END));
    } else if (length == 8) {
      if (word == RECEIVED) setSpan(record, VIA_RECEIVED_AT, paramAt(row), paramEnd(row));
    } else if (length == 4) {
      if (word == KEEP << 32) setSpan(record, VIA_KEEP_AT, paramAt(row), paramEnd(row));
    }
  }
}
