// AssemblyScript. The request line and the status line (RFC 3261 §7.1, §7.2), and method names (case-sensitive, §7.1).

import {
  E_NOT_SIP,
  E_OK,
  E_REQUEST_URI,
  E_START_LINE,
  E_STATUS_LINE,
  E_UNTERMINATED,
  E_VERSION,
} from '../parser/parse-error.ts';
import {
  ABSENT,
  H_OTHER,
  KIND_RESPONSE,
  METHOD_ACK,
  METHOD_BYE,
  METHOD_CANCEL,
  METHOD_INFO,
  METHOD_INVITE,
  METHOD_MESSAGE,
  METHOD_NOTIFY,
  METHOD_OPTIONS,
  METHOD_PRACK,
  METHOD_PUBLISH,
  METHOD_REFER,
  METHOD_REGISTER,
  METHOD_SUBSCRIBE,
  METHOD_UNKNOWN,
  METHOD_UPDATE,
  T_KIND,
  T_METHOD,
  T_METHOD_AT,
  T_REQUEST_URI,
  T_STATUS,
  URI_HEADERS_AT,
} from '../parser/span-table.ts';
import { addressOf, entry, fail, setEntry, setSpan } from './memory.ts';
import {
  byteAt,
  controlBits,
  CR,
  decimal,
  digitsEndWithin,
  DOT,
  isLws,
  LESS,
  LF,
  min,
  SP,
  TAB,
  tokenEnd,
  trimEnd,
} from './scan.ts';
import { parseScanned, parseUri, scanUri } from './uri.ts';

const CRLF: u32 = 0x0a0d;
const SIP_SLASH: u32 = 0x2f706973;
const SIP_2_0: u64 = 0x302e322f706973;
/** " SIP/2.0" in the usual case. */
const SP_SIP_2_0: u64 = 0x302e322f50495320;
const SIP_2_0_LENGTH: i32 = 7;
const SIP_SLASH_LENGTH: i32 = 4;
const STATUS_MIN: i64 = 100;
const STATUS_MAX: i64 = 699;

const REGISTER: u64 = 0x5245545349474552;
const OPTIONS: u64 = 0x534e4f4954504f;
const MESSAGE: u64 = 0x4547415353454d;
const PUBLISH: u64 = 0x4853494c425550;
const INVITE: u64 = 0x455449564e49;
const CANCEL: u64 = 0x4c45434e4143;
const NOTIFY: u64 = 0x594649544f4e;
const UPDATE: u64 = 0x455441445055;
const PRACK: u64 = 0x4b43415250;
const REFER: u64 = 0x5245464552;
const INFO: u64 = 0x4f464e49;
const ACK: u64 = 0x4b4341;
const BYE: u64 = 0x455942;
const SUBSCRIB: u64 = 0x4249524353425553;

/** The METHOD_* of [at, end); METHOD_UNKNOWN for any other token. */
export function methodId(at: i32, end: i32): i32 {
  const length = end - at;
  if (length == 9) return load<u64>(at) == SUBSCRIB && byteAt(at + 8) == 0x45 ? METHOD_SUBSCRIBE : METHOD_UNKNOWN;
  if (length < 3 || length > 8) return METHOD_UNKNOWN;
  const shift = (8 - length) << 3;
  const name = (load<u64>(at) << shift) >> shift;
  if (name == REGISTER) return METHOD_REGISTER;
  if (name == OPTIONS) return METHOD_OPTIONS;
  if (name == INVITE) return METHOD_INVITE;
  if (name == ACK) return METHOD_ACK;
  if (name == CANCEL) return METHOD_CANCEL;
  if (name == BYE) return METHOD_BYE;
  if (name == NOTIFY) return METHOD_NOTIFY;
  if (name == MESSAGE) return METHOD_MESSAGE;
  if (name == INFO) return METHOD_INFO;
  if (name == UPDATE) return METHOD_UPDATE;
  if (name == PRACK) return METHOD_PRACK;
  if (name == REFER) return METHOD_REFER;
  return name == PUBLISH ? METHOD_PUBLISH : METHOD_UNKNOWN;
}

/** The first control character except HTAB at or behind `at`, or `end`. */
function lineEnd(at: i32, end: i32): i32 {
  let p = at;
  while (p < end) {
    const stops = controlBits(v128.load(p));
    if (!stops) {
      p += 16;
      continue;
    }
    p += ctz(stops);
    if (p >= end || byteAt(p) != TAB) break;
    p++;
  }
  return min(p, end);
}

/** Returns the start of the headers, or -1 without a request or status line (E_NOT_SIP). */
export function parseStartLine(at: i32, end: i32): i32 {
  let p = at;
  while (p + 1 < end && <u32>load<u16>(p) == CRLF) p += 2; // §7.5
  const stop = lineEnd(p, end);
  if (startsWithSip(p, stop)) statusLine(p, stop);
  else if (!requestLine(p, stop)) {
    fail(E_NOT_SIP, p, H_OTHER);
    return -1;
  }
  return behindLine(stop, end);
}

/** Position behind the CRLF at `at`; any other text there is an error, and the next line is searched. */
function behindLine(at: i32, end: i32): i32 {
  let stop = at;
  if (stop + 1 < end && <u32>load<u16>(stop) == CRLF) return stop + 2;
  if (stop >= end || (byteAt(stop) == CR && stop + 1 == end)) {
    fail(E_UNTERMINATED, stop, H_OTHER);
    return end;
  }
  fail(E_START_LINE, stop, H_OTHER);
  while (stop < end && byteAt(stop) != CR && byteAt(stop) != LF) stop++;
  return stop + 1 < end && <u32>load<u16>(stop) == CRLF ? stop + 2 : min(stop + 1, end);
}

// @ts-ignore: decorator
@inline
function startsWithSip(at: i32, end: i32): bool {
  return end - at > SIP_SLASH_LENGTH && (load<u32>(at) | 0x20202020) == SIP_SLASH;
}

/** Whether [at, end), which has no control characters, is "SIP/2.0" in any case. */
// @ts-ignore: decorator
@inline
function isSip2(at: i32, end: i32): bool {
  return end - at == SIP_2_0_LENGTH && ((load<u64>(at) | 0x20202020202020) & 0xffffffffffffff) == SIP_2_0;
}

/** `SIP/2.0 SP 3DIGIT SP reason`; the space before an empty reason may be missing. */
function statusLine(at: i32, end: i32): void {
  setEntry(T_KIND, KIND_RESPONSE);
  const code = at + SIP_2_0_LENGTH + 1;
  const whole = code < end && isSip2(at, code - 1) && byteAt(code - 1) == SP;
  const codeEnd = code < end ? digitsEndWithin(code, end) : code;
  const status = decimal(code, codeEnd);
  if (!whole || codeEnd - code != 3 || status < STATUS_MIN || status > STATUS_MAX) fail(E_STATUS_LINE, at, H_OTHER);
  else if (codeEnd < end && byteAt(codeEnd) != SP) fail(E_STATUS_LINE, codeEnd, H_OTHER);
  else setEntry(T_STATUS, <i32>status);
}

/** `METHOD SP Request-URI SP SIP/2.0`. False where the last word is no version: then the line is not meant as a request. */
function requestLine(at: i32, end: i32): bool {
  const usual = end - at > 8 && load<u64>(end - 8) == SP_SIP_2_0;
  const versionEnd = usual ? end : trimEnd(at, end);
  let version = usual ? end - SIP_2_0_LENGTH : versionEnd;
  while (!usual && version > at && !isLws(byteAt(version - 1))) version--;
  if (version == at || !startsWithSip(version, versionEnd)) return false;
  const methodEnd = tokenEnd(at); // the version is behind a space
  if (methodEnd > at) {
    setEntry(T_METHOD, methodId(at, methodEnd));
    setSpan(addressOf(T_METHOD_AT), 0, at, methodEnd);
  }
  if (!usual) checkVersion(version, versionEnd);
  const uri = methodEnd + 1;
  const uriEnd = version - 1;
  if (methodEnd == at || byteAt(methodEnd) != SP || byteAt(uriEnd) != SP || uriEnd <= uri || versionEnd != end) {
    fail(E_START_LINE, at, H_OTHER);
  } else requestUri(uri, uriEnd);
  return true;
}

function checkVersion(at: i32, end: i32): void {
  if (isSip2(at, end)) return;
  const major = at + SIP_SLASH_LENGTH;
  const dot = digitsEndWithin(major, end);
  const other = dot > major && dot + 1 < end && byteAt(dot) == DOT && digitsEndWithin(dot + 1, end) == end;
  fail(other ? E_VERSION : E_START_LINE, at, H_OTHER);
}

/** Headers in a Request-URI are malformed (§19.1.1, Table 1). */
function requestUri(at: i32, end: i32): void {
  const stop = scanUri(at);
  let p = stop;
  while (p < end && !isLws(byteAt(p))) p++;
  if (p < end || byteAt(at) == LESS) {
    fail(E_START_LINE, p, H_OTHER);
    return;
  }
  const record = addressOf(T_REQUEST_URI);
  const error = stop == end ? parseScanned(at, end, record) : parseUri(at, end, record);
  if (error != E_OK || entry(T_REQUEST_URI + URI_HEADERS_AT) != ABSENT) fail(E_REQUEST_URI, at, H_OTHER);
}
