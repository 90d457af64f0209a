// AssemblyScript: the module's entry, compiled to WebAssembly by scripts/wasm.js. One message in the slab to the span
// table (RFC 3261 §7, §20, §25); never reads outside the message's slot, and continues after an error as far as an answer
// needs.

import { URI_RECORD } from '../parser/memory-map.ts';
import { E_CSEQ_METHOD, E_FROM, E_MISSING, E_NOT_SIP, E_OK, E_TO } from '../parser/parse-error.ts';
import {
  ABSENT,
  H_CALL_ID,
  H_CSEQ,
  H_FROM,
  H_OTHER,
  H_TO,
  H_VIA,
  KIND_REQUEST,
  METHOD_REGISTER,
  METHOD_SUBSCRIBE,
  METHOD_UNKNOWN,
  ROW_VALUE_AT,
  ROW_VALUE_END,
  T_BODY_AT,
  T_BODY_END,
  T_CONTACT_COUNT,
  T_CONTACT_STAR,
  T_CSEQ,
  T_CSEQ_METHOD,
  T_CSEQ_METHOD_AT,
  T_CSEQ_METHOD_END,
  T_ERROR,
  T_ERROR_AT,
  T_ERROR_HEADER,
  T_FIRST_ROW,
  T_FROM,
  T_HEADER_COUNT,
  T_IGNORED_ROWS,
  T_KIND,
  T_METHOD,
  T_METHOD_AT,
  T_METHOD_END,
  T_PARAM_COUNT,
  T_REQUIRE,
  T_REQUIRE_UNKNOWN,
  T_ROWS,
  T_STATUS,
  T_SUPPORTED,
  T_TO,
  T_VIA_COUNT,
} from '../parser/span-table.ts';
import { parseAddress } from './address.ts';
import { parseContacts } from './contact.ts';
import { digestParams } from './credentials.ts';
import {
  firstRow,
  storeBody,
  storeCallId,
  storeCSeq,
  storeExpires,
  storeMaxForwards,
  storeRequire,
  storeSupported,
} from './fields.ts';
import { indexHeaders } from './header-index.ts';
import { addressOf, entry, fail, field, setEntry } from './memory.ts';
import { md5 } from './md5.ts';
import { copyBytes, hashFinish, hashStart, hashWords } from './siphash.ts';
import { parseStartLine } from './start-line.ts';
import { parseUri } from './uri.ts';
import { parseVias } from './via.ts';

export { copyBytes, digestParams, hashFinish, hashStart, hashWords, md5 };

/** Parses [at, end), one datagram, into the table. Returns the first error by the order of the steps, E_OK for none. */
export function parse(at: i32, end: i32): i32 {
  reset(at, end);
  const headers = parseStartLine(at, end);
  if (headers < 0) return E_NOT_SIP;
  const body = indexHeaders(headers, end);
  parseVias();
  storeAddress(H_FROM, T_FROM, E_FROM);
  storeAddress(H_TO, T_TO, E_TO);
  storeCallId();
  storeCSeq();
  storeMaxForwards();
  storeExpires();
  storeBody(body, end);
  storeRequire();
  storeSupported();
  storeContacts();
  if (entry(T_KIND) == KIND_REQUEST) checkRequest(end);
  return entry(T_ERROR);
}

/** The start line and the header rows alone; for measurements of their cost. */
export function indexOnly(at: i32, end: i32): i32 {
  reset(at, end);
  const headers = parseStartLine(at, end);
  if (headers < 0) return E_NOT_SIP;
  indexHeaders(headers, end);
  return entry(T_ERROR);
}

/** Parses the URI [at, end), with any byte behind it, into the record outside the table. */
export function parseUriAt(at: i32, end: i32): i32 {
  const behind = load<u8>(end);
  store<u8>(end, 0); // it ends every scan
  const error = parseUri(at, end, URI_RECORD);
  store<u8>(end, behind);
  return error;
}

// @ts-ignore: decorator
@inline
function reset(at: i32, end: i32): void {
  const absent = i32x4.splat(ABSENT);
  // The last store may reach into the first row, which is not in use yet.
  for (let p = addressOf(0); p < addressOf(T_ROWS); p += 16) v128.store(p, absent);
  setEntry(T_KIND, KIND_REQUEST);
  setEntry(T_METHOD, METHOD_UNKNOWN);
  setEntry(T_CSEQ_METHOD, METHOD_UNKNOWN);
  setEntry(T_STATUS, 0);
  setEntry(T_ERROR, E_OK);
  setEntry(T_ERROR_AT, at);
  setEntry(T_ERROR_HEADER, H_OTHER);
  setEntry(T_BODY_AT, end);
  setEntry(T_BODY_END, end);
  setEntry(T_CSEQ, 0);
  setEntry(T_REQUIRE, 0);
  setEntry(T_REQUIRE_UNKNOWN, 0);
  setEntry(T_SUPPORTED, 0);
  setEntry(T_CONTACT_STAR, 0);
  setEntry(T_CONTACT_COUNT, 0);
  setEntry(T_VIA_COUNT, 0);
  setEntry(T_HEADER_COUNT, 0);
  setEntry(T_IGNORED_ROWS, 0);
  setEntry(T_PARAM_COUNT, 0);
}

function storeAddress(header: i32, index: i32, error: i32): void {
  const row = firstRow(header);
  if (row) parseAddress(field(row, ROW_VALUE_AT), field(row, ROW_VALUE_END), addressOf(index), header, error);
}

/** A malformed Contact is an error only where it is needed (§8.2.2): in REGISTER, and in SUBSCRIBE, which makes a dialog. */
// @ts-ignore: decorator
@inline
function storeContacts(): void {
  const method = entry(T_METHOD);
  const error = entry(T_ERROR);
  const errorAt = entry(T_ERROR_AT);
  const errorHeader = entry(T_ERROR_HEADER);
  parseContacts();
  if (method == METHOD_REGISTER || method == METHOD_SUBSCRIBE) return;
  setEntry(T_ERROR, error);
  setEntry(T_ERROR_AT, errorAt);
  setEntry(T_ERROR_HEADER, errorHeader);
}

/** Checks the required headers of requests (§8.1.1; the core handles a missing Max-Forwards), and last the CSeq's method. */
// @ts-ignore: decorator
@inline
function checkRequest(end: i32): void {
  checkPresent(H_VIA, end);
  checkPresent(H_FROM, end);
  checkPresent(H_TO, end);
  checkPresent(H_CALL_ID, end);
  checkPresent(H_CSEQ, end);
  const at = entry(T_CSEQ_METHOD_AT);
  const methodAt = entry(T_METHOD_AT);
  if (at == ABSENT || methodAt == ABSENT) return;
  const length = entry(T_METHOD_END) - methodAt;
  let same = entry(T_CSEQ_METHOD_END) - at == length && entry(T_CSEQ_METHOD) == entry(T_METHOD);
  if (same && entry(T_METHOD) == METHOD_UNKNOWN) same = memory.compare(at, methodAt, length) == 0;
  if (!same) fail(E_CSEQ_METHOD, at, H_CSEQ);
}

// @ts-ignore: decorator
@inline
function checkPresent(id: i32, end: i32): void {
  if (entry(T_FIRST_ROW + id) == ABSENT) fail(E_MISSING, end, id);
}
