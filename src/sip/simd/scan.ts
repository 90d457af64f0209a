// AssemblyScript. Byte classes sixteen at a time, and the scanning primitives over [at, end). Loads may reach
// behind `end` (SLACK in memory-map.ts); those bytes never matter.

export const TAB: i32 = 0x09;
export const LF: i32 = 0x0a;
export const CR: i32 = 0x0d;
export const SP: i32 = 0x20;
export const QUOTE: i32 = 0x22;
export const PERCENT: i32 = 0x25;
export const STAR: i32 = 0x2a;
export const COMMA: i32 = 0x2c;
export const DOT: i32 = 0x2e;
export const SLASH: i32 = 0x2f;
export const ZERO: i32 = 0x30;
export const COLON: i32 = 0x3a;
export const SEMICOLON: i32 = 0x3b;
export const LESS: i32 = 0x3c;
export const EQUALS: i32 = 0x3d;
export const GREATER: i32 = 0x3e;
export const QUESTION: i32 = 0x3f;
export const AT_SIGN: i32 = 0x40;
export const OPEN_BRACKET: i32 = 0x5b;
export const BACKSLASH: i32 = 0x5c;
export const CLOSE_BRACKET: i32 = 0x5d;
export const DEL: i32 = 0x7f;

/** Result of `decimal` for a number above 2^32 - 1, of any length. */
export const TOO_LARGE: i64 = 4_294_967_296;

// Vectors for comparisons are in memory: V8 builds a constant of 128 bits from three or four instructions at each use, and loads one
// with one.
export const ONES: usize = memory.data<u8>([0x01, 0x01, 0x01, 0x01, 0x01, 0x01, 0x01, 0x01, 0x01, 0x01, 0x01, 0x01, 0x01, 0x01, 0x01, 0x01], 16);
const NINES: usize = memory.data<u8>([0x09, 0x09, 0x09, 0x09, 0x09, 0x09, 0x09, 0x09, 0x09, 0x09, 0x09, 0x09, 0x09, 0x09, 0x09, 0x09], 16);
export const TABS: usize = memory.data<u8>([0x09, 0x09, 0x09, 0x09, 0x09, 0x09, 0x09, 0x09, 0x09, 0x09, 0x09, 0x09, 0x09, 0x09, 0x09, 0x09], 16);
export const RETURNS: usize = memory.data<u8>([0x0d, 0x0d, 0x0d, 0x0d, 0x0d, 0x0d, 0x0d, 0x0d, 0x0d, 0x0d, 0x0d, 0x0d, 0x0d, 0x0d, 0x0d, 0x0d], 16);
const FIFTEENS: usize = memory.data<u8>([0x0f, 0x0f, 0x0f, 0x0f, 0x0f, 0x0f, 0x0f, 0x0f, 0x0f, 0x0f, 0x0f, 0x0f, 0x0f, 0x0f, 0x0f, 0x0f], 16);
const CONTROLS: usize = memory.data<u8>([0x1f, 0x1f, 0x1f, 0x1f, 0x1f, 0x1f, 0x1f, 0x1f, 0x1f, 0x1f, 0x1f, 0x1f, 0x1f, 0x1f, 0x1f, 0x1f], 16);
export const SPACES: usize = memory.data<u8>([0x20, 0x20, 0x20, 0x20, 0x20, 0x20, 0x20, 0x20, 0x20, 0x20, 0x20, 0x20, 0x20, 0x20, 0x20, 0x20], 16);
/** One above the space: the first byte that does not count as a control character when one is added to all. */
export const BEHIND_SPACE: usize = memory.data<u8>([0x21, 0x21, 0x21, 0x21, 0x21, 0x21, 0x21, 0x21, 0x21, 0x21, 0x21, 0x21, 0x21, 0x21, 0x21, 0x21], 16);
const QUOTES: usize = memory.data<u8>([0x22, 0x22, 0x22, 0x22, 0x22, 0x22, 0x22, 0x22, 0x22, 0x22, 0x22, 0x22, 0x22, 0x22, 0x22, 0x22], 16);
export const PERCENTS: usize = memory.data<u8>([0x25, 0x25, 0x25, 0x25, 0x25, 0x25, 0x25, 0x25, 0x25, 0x25, 0x25, 0x25, 0x25, 0x25, 0x25, 0x25], 16);
const COMMAS: usize = memory.data<u8>([0x2c, 0x2c, 0x2c, 0x2c, 0x2c, 0x2c, 0x2c, 0x2c, 0x2c, 0x2c, 0x2c, 0x2c, 0x2c, 0x2c, 0x2c, 0x2c], 16);
const ZEROS: usize = memory.data<u8>([0x30, 0x30, 0x30, 0x30, 0x30, 0x30, 0x30, 0x30, 0x30, 0x30, 0x30, 0x30, 0x30, 0x30, 0x30, 0x30], 16);
export const COLONS: usize = memory.data<u8>([0x3a, 0x3a, 0x3a, 0x3a, 0x3a, 0x3a, 0x3a, 0x3a, 0x3a, 0x3a, 0x3a, 0x3a, 0x3a, 0x3a, 0x3a, 0x3a], 16);
export const SEMICOLONS: usize = memory.data<u8>([0x3b, 0x3b, 0x3b, 0x3b, 0x3b, 0x3b, 0x3b, 0x3b, 0x3b, 0x3b, 0x3b, 0x3b, 0x3b, 0x3b, 0x3b, 0x3b], 16);
export const EQUALS_SIGNS: usize = memory.data<u8>([0x3d, 0x3d, 0x3d, 0x3d, 0x3d, 0x3d, 0x3d, 0x3d, 0x3d, 0x3d, 0x3d, 0x3d, 0x3d, 0x3d, 0x3d, 0x3d], 16);
export const QUESTION_MARKS: usize = memory.data<u8>([0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f], 16);
export const AT_SIGNS: usize = memory.data<u8>([0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40], 16);
const BACKSLASHES: usize = memory.data<u8>([0x5c, 0x5c, 0x5c, 0x5c, 0x5c, 0x5c, 0x5c, 0x5c, 0x5c, 0x5c, 0x5c, 0x5c, 0x5c, 0x5c, 0x5c, 0x5c], 16);
const DELETES: usize = memory.data<u8>([0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f], 16);

// A class is a table by low half byte whose bit h tells whether the byte with the high half h belongs to it (ASCII only);
// HIGH turns a high half into its bit, and into none for bytes from 0x80 on.
const HIGH: usize = memory.data<u8>([0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00], 16);
/** RFC 3261 §25.1 token. */
const TOKEN: usize = memory.data<u8>([0xe8, 0xfc, 0xf8, 0xf8, 0xf8, 0xfc, 0xf8, 0xfc, 0xf8, 0xf8, 0xf4, 0x54, 0x50, 0x54, 0xd4, 0x70], 16);
/** Host name characters, "_" included. */
const HOST: usize = memory.data<u8>([0xa8, 0xf8, 0xf8, 0xf8, 0xf8, 0xf8, 0xf8, 0xf8, 0xf8, 0xf8, 0xf0, 0x50, 0x50, 0x54, 0x54, 0x70], 16);
/** Ends of an unquoted parameter value: space, controls, `"`, ",", ";", "<", ">". */
const NOT_VALUE: usize = memory.data<u8>([0x07, 0x03, 0x07, 0x03, 0x03, 0x03, 0x03, 0x03, 0x03, 0x03, 0x03, 0x0b, 0x0f, 0x03, 0x0b, 0x83], 16);
/** Characters that are never unescaped in a URI: space, controls, "<", ">", `"`. */
const NOT_URI: usize = memory.data<u8>([0x07, 0x03, 0x07, 0x03, 0x03, 0x03, 0x03, 0x03, 0x03, 0x03, 0x03, 0x03, 0x0b, 0x03, 0x0b, 0x83], 16);

// @ts-ignore: decorator
@inline
function classBits(bytes: v128, low: usize): v128 {
  const fifteen = v128.load(FIFTEENS);
  const row = i8x16.swizzle(v128.load(low), v128.and(bytes, fifteen));
  const column = i8x16.swizzle(v128.load(HIGH), v128.and(i16x8.shr_u(bytes, 4), fifteen));
  return v128.and(row, column);
}

/** Bits of the bytes that are not of the class. */
// @ts-ignore: decorator
@inline
function outside(bytes: v128, low: usize): i32 {
  return i8x16.bitmask(i8x16.eq(classBits(bytes, low), i8x16.splat(0)));
}

/** Bits of the bytes that are of the class. */
// @ts-ignore: decorator
@inline
function inside(bytes: v128, low: usize): i32 {
  return i8x16.bitmask(i8x16.eq(classBits(bytes, low), i8x16.splat(0))) ^ 0xffff;
}

// @ts-ignore: decorator
@inline
export function tokenStops(bytes: v128): i32 {
  return outside(bytes, TOKEN);
}

// @ts-ignore: decorator
@inline
export function notUriBits(bytes: v128): i32 {
  return inside(bytes, NOT_URI);
}

/** Bits of the bytes below 0x20 and of DEL: HTAB is among them. */
// @ts-ignore: decorator
@inline
export function controlBits(bytes: v128): i32 {
  const low = i8x16.eq(i8x16.min_u(bytes, v128.load(CONTROLS)), bytes);
  return i8x16.bitmask(v128.or(low, i8x16.eq(bytes, v128.load(DELETES))));
}

/** Bits of the bytes that equal those of a vector in memory. */
// @ts-ignore: decorator
@inline
export function equalBits(bytes: v128, vector: usize): i32 {
  return i8x16.bitmask(i8x16.eq(bytes, v128.load(vector)));
}

// @ts-ignore: decorator
@inline
export function min(a: i32, b: i32): i32 {
  return select<i32>(a, b, a < b);
}

// @ts-ignore: decorator
@inline
export function byteAt(p: i32): i32 {
  return <i32>load<u8>(p);
}

// @ts-ignore: decorator
@inline
export function isLws(byte: i32): bool {
  return byte == SP || byte == TAB;
}

/** A control character except HTAB. */
// @ts-ignore: decorator
@inline
export function isControl(byte: i32): bool {
  return (byte < SP && byte != TAB) || byte == DEL;
}

/** ASCII letters in lower case, every other byte itself. */
// @ts-ignore: decorator
@inline
export function lower(byte: i32): i32 {
  return byte | (<i32>(<u32>(byte - 0x41) < 26) << 5);
}

// Reads from values need no bound: a header row's value ends before a line end or LWS, a URI before one of these,
// ">", ";", "," or a NUL. All of these bytes end tokens, hosts, numbers and parameter values. Only LWS must be bounded,
// and searches in lines that may have no end.

/** Position behind the token that starts at `at` in a value. */
// @ts-ignore: decorator
@inline
export function tokenEnd(at: i32): i32 {
  let p = at;
  let stops = tokenStops(v128.load(p));
  while (!stops) {
    p += 16;
    stops = tokenStops(v128.load(p));
  }
  return p + ctz(stops);
}

/** Position behind the token that starts at `at`, or `end`; any byte may follow. */
export function tokenEndWithin(at: i32, end: i32): i32 {
  for (let p = at; p < end; p += 16) {
    const stops = tokenStops(v128.load(p));
    if (stops) return min(p + ctz(stops), end);
  }
  return end;
}

/** Position behind the host name characters that start at `at` in a value. */
// @ts-ignore: decorator
@inline
function hostNameEnd(at: i32): i32 {
  let p = at;
  let stops = outside(v128.load(p), HOST);
  while (!stops) {
    p += 16;
    stops = outside(v128.load(p), HOST);
  }
  return p + ctz(stops);
}

/** Position behind the unquoted parameter value that starts at `at` in a value. */
// @ts-ignore: decorator
@inline
export function plainValueEnd(at: i32): i32 {
  let p = at;
  let stops = inside(v128.load(p), NOT_VALUE);
  while (!stops) {
    p += 16;
    stops = inside(v128.load(p), NOT_VALUE);
  }
  return p + ctz(stops);
}

/** The first byte that is a space or a control character, HTAB included. */
export function visibleEnd(at: i32, end: i32): i32 {
  let p = at;
  do {
    const bytes = v128.load(p);
    const low = i8x16.eq(i8x16.min_u(bytes, v128.load(SPACES)), bytes);
    const stops = i8x16.bitmask(v128.or(low, i8x16.eq(bytes, v128.load(DELETES))));
    if (stops) return min(p + ctz(stops), end);
    p += 16;
  } while (p < end);
  return end;
}

/** Position behind the visible characters but `"` and "," that start at `at`, or `end`. */
export function unquotedEnd(at: i32, end: i32): i32 {
  for (let p = at; p < end; p += 16) {
    const bytes = v128.load(p);
    const low = i8x16.bitmask(i8x16.eq(i8x16.min_u(bytes, v128.load(SPACES)), bytes));
    const stops = low | equalBits(bytes, DELETES) | equalBits(bytes, QUOTES) | equalBits(bytes, COMMAS);
    if (stops) return min(p + ctz(stops), end);
  }
  return end;
}

/** Position behind the spaces and tabs that start at `at`. */
// @ts-ignore: decorator
@inline
export function skipLws(at: i32, end: i32): i32 {
  let p = at;
  while (p < end && isLws(byteAt(p))) p++;
  return p;
}

/** Position behind the LWS that starts at `at`; there rarely is any. */
// @ts-ignore: decorator
@inline
export function behindLws(at: i32, end: i32): i32 {
  return byteAt(at) > SP ? at : skipLws(at, end);
}

/** Bits of the bytes that are not digits. */
// @ts-ignore: decorator
@inline
function digitStops(bytes: v128): i32 {
  const digits = i8x16.sub(bytes, v128.load(ZEROS));
  return i8x16.bitmask(i8x16.eq(i8x16.min_u(digits, v128.load(NINES)), digits)) ^ 0xffff;
}

/** Position behind the digits that start at `at` in a value. */
// @ts-ignore: decorator
@inline
export function digitsEnd(at: i32): i32 {
  let p = at;
  let stops = digitStops(v128.load(p));
  while (!stops) {
    p += 16;
    stops = digitStops(v128.load(p));
  }
  return p + ctz(stops);
}

/** Position behind the digits that start at `at`, or `end`; any byte may follow. */
export function digitsEndWithin(at: i32, end: i32): i32 {
  let p = at;
  while (p < end && <u32>(byteAt(p) - ZERO) <= 9) p++;
  return min(p, end);
}

/** The end of [at, end) without trailing spaces and tabs. */
// @ts-ignore: decorator
@inline
export function trimEnd(at: i32, end: i32): i32 {
  let stop = end;
  while (stop > at && isLws(byteAt(stop - 1))) stop--;
  return stop;
}

/** Eight digits, the first in the lowest byte, without their 0x30. */
// @ts-ignore: decorator
@inline
function eightDigits(digits: u64): u64 {
  const pairs = (digits * 10 + (digits >> 8)) & 0x00ff00ff00ff00ff;
  const fours = (pairs * 100 + (pairs >> 16)) & 0x0000ffff0000ffff;
  return (fours * 10000 + (fours >> 32)) & 0xffffffff;
}

/** Per byte of eight: whether it is not a digit 0 to 9 without its 0x30; right up to the first such byte. */
// @ts-ignore: decorator
@inline
function notDigits(digits: u64): u64 {
  return (digits | (digits + 0x7676767676767676)) & 0x8080808080808080;
}

/** Eight bytes, with digits turned into 0 to 9. */
// @ts-ignore: decorator
@inline
function digitsAt(at: i32): u64 {
  return load<u64>(at) ^ 0x3030303030303030;
}

/** 1*DIGIT from `at` to `end` exactly, at most TOO_LARGE; -1 for any other text. Leading zeros are accepted. */
export function decimal(at: i32, end: i32): i64 {
  const length = end - at;
  if (<u32>(length - 1) > 7) return length > 8 ? longDecimal(at, end) : -1;
  // The bytes behind the number are shifted out; zeros come in before it.
  const digits = digitsAt(at) << (<u64>(8 - length) << 3);
  return notDigits(digits) ? -1 : <i64>eightDigits(digits);
}

/** `decimal`, with or without quotes. */
// @ts-ignore: decorator
@inline
export function quotedDecimal(at: i32, end: i32): i64 {
  if (byteAt(at) != QUOTE) return decimal(at, end);
  return byteAt(end - 1) == QUOTE ? decimal(at + 1, end - 1) : -1;
}

/** `decimal` of more than eight digits. */
function longDecimal(at: i32, end: i32): i64 {
  const length = end - at;
  if (length > 16) return endlessDecimal(at, end);
  const high = digitsAt(at) << (<u64>(16 - length) << 3);
  const low = digitsAt(end - 8);
  if (notDigits(high) | notDigits(low)) return -1;
  const value = <i64>(eightDigits(high) * 100000000 + eightDigits(low));
  return value < TOO_LARGE ? value : TOO_LARGE;
}

function endlessDecimal(at: i32, end: i32): i64 {
  let value: i64 = 0;
  for (let p = at; p < end; p++) {
    const digit = byteAt(p) - ZERO;
    if (<u32>digit > 9) return -1;
    if (value < TOO_LARGE) value = value * 10 + digit;
  }
  return value < TOO_LARGE ? value : TOO_LARGE;
}

/** A byte string of up to eight lower-case letters, "-" and digits, as one word: the form of the constants it is compared with. */
// @ts-ignore: decorator
@inline
export function foldedWord(at: i32, length: i32): u64 {
  return (load<u64>(at) | 0x2020202020202020) << ((8 - length) << 3);
}

/** Whether two tokens of one length are the same without regard to case: of token characters, 0x20 folds only letters. */
export function sameToken(a: i32, b: i32, length: i32): bool {
  const fold = v128.load(SPACES);
  let i = 0;
  while (true) {
    const differ = i8x16.bitmask(i8x16.ne(v128.or(v128.load(a + i), fold), v128.or(v128.load(b + i), fold)));
    const left = length - i;
    if (left <= 16) return (left < 16 ? differ & ((1 << left) - 1) : differ) == 0;
    if (differ) return false;
    i += 16;
  }
}

/** Whether two byte strings of one length are the same without regard to the case of ASCII letters. */
export function sameText(a: i32, b: i32, length: i32): bool {
  for (let i = 0; i < length; i++) if (lower(byteAt(a + i)) != lower(byteAt(b + i))) return false;
  return true;
}

/**
 * The offset behind the closing quote of the quoted string that opens at `at`, or -1 (RFC 3261 §25.1). A backslash escapes
 * any octet 0-127 except CR and LF; raw control characters are not part of a quoted string.
 */
export function quotedEnd(at: i32, end: i32): i32 {
  let p = at + 1;
  while (p < end) {
    const bytes = v128.load(p);
    const stops = controlBits(bytes) | equalBits(bytes, QUOTES) | equalBits(bytes, BACKSLASHES);
    if (!stops) {
      p += 16;
      continue;
    }
    p += ctz(stops);
    if (p >= end) return -1;
    const byte = byteAt(p);
    if (byte == QUOTE) return p + 1;
    if (byte == BACKSLASH) {
      p++;
      if (p >= end) return -1;
      const escaped = byteAt(p);
      if (escaped > 0x7f || escaped == CR || escaped == LF) return -1;
    } else if (byte != TAB) return -1;
    p++;
  }
  return -1;
}

/** The offset behind the "]" of the IPv6 reference that opens at `at`, or -1. Three colons are accepted (RFC 5118 §4.10). */
function ipv6End(at: i32, end: i32): i32 {
  let p = at + 1;
  while (p < end) {
    const byte = byteAt(p);
    const folded = byte | 0x20;
    if (<u32>(byte - ZERO) > 10 && <u32>(folded - 0x61) > 5 && byte != DOT) break;
    p++;
  }
  return p < end && byteAt(p) == CLOSE_BRACKET && p - at > 2 ? p + 1 : -1;
}

/** The offset behind the host (name, IPv4 address or IPv6 reference) that starts at `at` in a value that ends at `end`, or -1. */
// @ts-ignore: decorator
@inline
export function hostEnd(at: i32, end: i32): i32 {
  const stop = hostNameEnd(at);
  if (stop > at) return stop;
  return byteAt(at) == OPEN_BRACKET ? ipv6End(at, end) : -1;
}
