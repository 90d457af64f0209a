// The oracle's byte classes and scanning primitives: over (bytes, at, end), never reading at `end` or
// beyond, allocating nothing. No knowledge of any header lives here.

/** RFC 3261 §25.1 `token`. */
export const TOKEN = 1;
export const DIGIT = 2;
/** Host name characters, "_" included (real networks use it). */
export const HOST = 4;
/** SP and HTAB. */
export const LWS = 8;
/** Control characters but HTAB: where a header line ends or is broken. */
export const CONTROL = 16;
/** What never stands unescaped in a URI: space, controls, "<", ">", '"'. */
export const NOT_URI = 32;
/** An unquoted parameter value: visible characters, none that ends or encloses one. Wider than `token` on purpose. */
export const VALUE = 64;
/** Between the brackets of an IPv6 reference. */
const IPV6 = 128;

export const TAB = 0x09;
export const LF = 0x0a;
export const CR = 0x0d;
export const SP = 0x20;
export const QUOTE = 0x22;
export const PERCENT = 0x25;
export const STAR = 0x2a;
export const COMMA = 0x2c;
export const DOT = 0x2e;
export const SLASH = 0x2f;
export const ZERO = 0x30;
export const COLON = 0x3a;
export const SEMICOLON = 0x3b;
export const LESS = 0x3c;
export const EQUALS = 0x3d;
export const GREATER = 0x3e;
export const QUESTION = 0x3f;
export const AT_SIGN = 0x40;
const OPEN_BRACKET = 0x5b;
export const BACKSLASH = 0x5c;
const CLOSE_BRACKET = 0x5d;

/** What `decimal` gives for a number above 2^32 - 1, however long. */
export const TOO_LARGE = 2 ** 32;

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
  if (/[A-Za-z0-9._-]/.test(char)) bits |= HOST;
  if (/[0-9A-Fa-f:.]/.test(char)) bits |= IPV6;
  if (byte === SP || byte === TAB) bits |= LWS;
  if ((byte < SP && byte !== TAB) || byte === 0x7f) bits |= CONTROL;
  if (byte <= SP || byte === 0x7f || /[<>"]/.test(char)) bits |= NOT_URI;
  if (byte > SP && byte !== 0x7f && !/[",;<>]/.test(char)) bits |= VALUE;
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

/** The end of [at, end) without the spaces and tabs at its end. */
export function trimEnd(bytes: Uint8Array, at: number, end: number): number {
  while (end > at && (CLASS[bytes[end - 1]] & LWS) !== 0) end--;
  return end;
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

/** 1*DIGIT from `at` to `end` exactly, at most TOO_LARGE; -1 where it is anything else. Leading zeros are fine. */
export function decimal(bytes: Uint8Array, at: number, end: number): number {
  if (at >= end) return -1;
  let value = 0;
  for (; at < end; at++) {
    const digit = bytes[at] - ZERO;
    if (digit < 0 || digit > 9) return -1;
    if (value < TOO_LARGE) value = value * 10 + digit;
  }
  return Math.min(value, TOO_LARGE);
}

/** `decimal`, perhaps in quotes. */
export function quotedDecimal(bytes: Uint8Array, at: number, end: number): number {
  if (at >= end || bytes[at] !== QUOTE) return decimal(bytes, at, end);
  return bytes[end - 1] === QUOTE ? decimal(bytes, at + 1, end - 1) : -1;
}

/**
 * The offset behind the closing quote of the quoted string that opens at `at`, or -1 (RFC 3261 §25.1). A backslash stands
 * for any octet 0-127 but CR and LF; raw control characters are not part of a quoted string.
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

/** The offset behind the "]" of the IPv6 reference that opens at `at`, or -1. Three colons pass (RFC 5118 §4.10). */
function ipv6End(bytes: Uint8Array, at: number, end: number): number {
  const close = skip(bytes, at + 1, end, IPV6);
  return close < end && bytes[close] === CLOSE_BRACKET && close - at > 2 ? close + 1 : -1;
}

/** The offset behind the host (name, IPv4 address or IPv6 reference) that starts at `at`, or -1. */
export function hostEnd(bytes: Uint8Array, at: number, end: number): number {
  if (at >= end) return -1;
  if (bytes[at] === OPEN_BRACKET) return ipv6End(bytes, at, end);
  const stop = skip(bytes, at, end, HOST);
  return stop > at ? stop : -1;
}
