// Byte classes and scanning primitives outside the message parser (credentials, option tags, URIs under
// comparison): over (bytes, at, end), never reading at `end` or beyond, allocating nothing. simd/ has its own.
// @hot

/** RFC 3261 §25.1 `token`. */
export const TOKEN = 1;
export const DIGIT = 2;
/** SP and HTAB. */
export const LWS = 8;
/** Control characters except HTAB: they end or break a header line. */
export const CONTROL = 16;
export const TAB = 0x09;
const LF = 0x0a;
const CR = 0x0d;
export const SP = 0x20;
export const QUOTE = 0x22;
export const PERCENT = 0x25;
export const COMMA = 0x2c;
export const DOT = 0x2e;
export const COLON = 0x3a;
export const SEMICOLON = 0x3b;
export const LESS = 0x3c;
export const EQUALS = 0x3d;
export const GREATER = 0x3e;
export const AT_SIGN = 0x40;
export const BACKSLASH = 0x5c;

/** The classes of a byte, as bits. */
export const CLASS: Uint8Array = classes();

/** ASCII letters in lower case, every other byte itself. */
export const LOWER: Uint8Array = lowerCase();

/** The value of a hexadecimal digit, 255 for any other byte. */
export const HEX: Uint8Array = hexDigits();

/** @cold */
function classOf(byte: number, char: string): number {
  let bits = 0;
  if (/[A-Za-z0-9\-.!%*_+`'~]/.test(char)) bits |= TOKEN;
  if (/[0-9]/.test(char)) bits |= DIGIT;
  if (byte === SP || byte === TAB) bits |= LWS;
  if ((byte < SP && byte !== TAB) || byte === 0x7f) bits |= CONTROL;
  return bits;
}

function classes(): Uint8Array {
  const table = new Uint8Array(256);
  for (let byte = 0; byte < 256; byte++) table[byte] = classOf(byte, String.fromCharCode(byte));
  return table;
}

function lowerCase(): Uint8Array {
  const table = new Uint8Array(256);
  for (let byte = 0; byte < 256; byte++) table[byte] = byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : byte;
  return table;
}

function hexDigits(): Uint8Array {
  const table = new Uint8Array(256).fill(255);
  for (let digit = 0; digit < 16; digit++) {
    table[digit.toString(16).charCodeAt(0)] = digit;
    table[digit.toString(16).toUpperCase().charCodeAt(0)] = digit;
  }
  return table;
}

/** The first byte at or behind `at` that is not of the class, or `end`. */
export function skip(bytes: Uint8Array, at: number, end: number, bits: number): number {
  while (at < end && (CLASS[bytes[at]] & bits) !== 0) at++;
  return at;
}

/** Whether [at, end) is the given text, without regard to the case of ASCII letters. `lower` is in lower case. */
export function isText(bytes: Uint8Array, at: number, end: number, lower: Uint8Array): boolean {
  const length = lower.length;
  if (end - at !== length) return false;
  for (let i = 0; i < length; i++) if (LOWER[bytes[at + i]] !== lower[i]) return false;
  return true;
}

export function sameBytes(a: Uint8Array, aAt: number, aEnd: number, b: Uint8Array, bAt: number, bEnd: number): boolean {
  const length = aEnd - aAt;
  if (bEnd - bAt !== length) return false;
  for (let i = 0; i < length; i++) if (a[aAt + i] !== b[bAt + i]) return false;
  return true;
}

/** `sameBytes` without regard to the case of ASCII letters. */
export function sameText(a: Uint8Array, aAt: number, aEnd: number, b: Uint8Array, bAt: number, bEnd: number): boolean {
  const length = aEnd - aAt;
  if (bEnd - bAt !== length) return false;
  for (let i = 0; i < length; i++) if (LOWER[a[aAt + i]] !== LOWER[b[bAt + i]]) return false;
  return true;
}

/**
 * The offset behind the closing quote of the quoted string that opens at `at`, or -1 (RFC 3261 §25.1). A backslash escapes
 * any octet 0-127 except CR and LF; raw control characters are not part of a quoted string.
 */
export function quotedEnd(bytes: Uint8Array, at: number, end: number): number {
  for (let p = at + 1; p < end; p++) {
    const byte = bytes[p];
    if (byte === QUOTE) return p + 1;
    if (byte === BACKSLASH) {
      p++;
      if (p >= end || bytes[p] > 0x7f || bytes[p] === CR || bytes[p] === LF) return -1;
    } else if ((CLASS[byte] & CONTROL) !== 0) return -1;
  }
  return -1;
}
