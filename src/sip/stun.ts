// STUN as a keep-alive on the SIP port (RFC 5626 §8, RFC 5389): a Binding request in, its answer out, with the client's address as
// the server sees it. No sockets, no authentication (the RFC requires none), and nothing else of STUN.
// @hot

import type { Writer } from './writer.ts';

// A message: u16 type, u16 length of the part behind the header, 16 bytes of cookie and transaction; then attributes.
const HEADER_BYTES = 20;
const TRANSACTION_AT = 4;
const TRANSACTION_BYTES = 16;
const COOKIE_HIGH = 0x2112;
const COOKIE = [0x21, 0x12, 0xa4, 0x42] as const;

const BINDING_REQUEST = 0x0001;
const BINDING_SUCCESS = 0x0101;
const BINDING_ERROR = 0x0111;
const MAPPED_ADDRESS = 0x0001;
const XOR_MAPPED_ADDRESS = 0x0020;
const ERROR_CODE = 0x0009;
const UNKNOWN_ATTRIBUTES = 0x000a;
/** Attributes from this type on may be ignored. */
const OPTIONAL_FROM = 0x8000;
/** Maximum of unknown attributes that an error names. */
const NAMED_MAX = 16;

const FAMILY_IPV4 = 1;
const FAMILY_IPV6 = 2;

const unknown = new Uint16Array(NAMED_MAX);

/**
 * Writes the answer to the message bytes[at, end) from ip[ipAt, …): XOR-MAPPED-ADDRESS, or MAPPED-ADDRESS to a client of
 * RFC 3489; error 420 for unknown required attributes. False: no Binding request, and so no answer.
 * @param family 4 or 6
 */
export function answerStun(
  w: Writer,
  bytes: Uint8Array,
  at: number,
  end: number,
  family: number,
  ip: Uint8Array,
  ipAt: number,
  port: number,
): boolean {
  if (end - at < HEADER_BYTES || word(bytes, at) !== BINDING_REQUEST) return false;
  if (word(bytes, at + 2) !== end - at - HEADER_BYTES) return false;
  const strangers = countUnknown(bytes, at + HEADER_BYTES, end);
  if (strangers < 0) return false;
  if (strangers > 0) writeUnknown(w, bytes, at, strangers < NAMED_MAX ? strangers : NAMED_MAX);
  else writeAddress(w, bytes, at, family, ip, ipAt, port);
  return true;
}

/** Number of unknown required attributes; -1 where attributes do not fill the message. */
function countUnknown(bytes: Uint8Array, from: number, end: number): number {
  let count = 0;
  let at = from;
  while (at < end) {
    if (end - at < 4) return -1;
    const type = word(bytes, at);
    const length = word(bytes, at + 2);
    at += 4 + ((length + 3) & ~3);
    if (at > end) return -1;
    if (type >= OPTIONAL_FROM || isKnown(type)) continue;
    if (count < NAMED_MAX) unknown[count] = type;
    count++;
  }
  return count;
}

/** USERNAME, MESSAGE-INTEGRITY, REALM and NONCE: ignored, since the server has no STUN credentials. */
function isKnown(type: number): boolean {
  return type === 0x0006 || type === 0x0008 || type === 0x0014 || type === 0x0015;
}

function writeAddress(
  w: Writer,
  bytes: Uint8Array,
  at: number,
  family: number,
  ip: Uint8Array,
  ipAt: number,
  port: number,
): void {
  const modern = hasCookie(bytes, at);
  const size = family === 6 ? 16 : 4;
  writeHeader(w, BINDING_SUCCESS, 8 + size, bytes, at);
  writeWord(w, modern ? XOR_MAPPED_ADDRESS : MAPPED_ADDRESS);
  writeWord(w, 4 + size);
  writeWord(w, family === 6 ? FAMILY_IPV6 : FAMILY_IPV4);
  writeWord(w, modern ? port ^ COOKIE_HIGH : port);
  for (let i = 0; i < size; i++) w.byte(modern ? ip[ipAt + i] ^ bytes[at + TRANSACTION_AT + i] : ip[ipAt + i]);
}

function writeUnknown(w: Writer, bytes: Uint8Array, at: number, count: number): void {
  const padded = (count * 2 + 3) & ~3;
  writeHeader(w, BINDING_ERROR, 8 + 4 + padded, bytes, at);
  writeWord(w, ERROR_CODE);
  writeWord(w, 4);
  writeWord(w, 0);
  writeWord(w, (4 << 8) | 20);
  writeWord(w, UNKNOWN_ATTRIBUTES);
  writeWord(w, count * 2);
  for (let i = 0; i < count; i++) writeWord(w, unknown[i]);
  if (padded > count * 2) writeWord(w, 0);
}

function writeHeader(w: Writer, type: number, length: number, bytes: Uint8Array, at: number): void {
  writeWord(w, type);
  writeWord(w, length);
  w.span(bytes, at + TRANSACTION_AT, at + TRANSACTION_AT + TRANSACTION_BYTES);
}

function hasCookie(bytes: Uint8Array, at: number): boolean {
  for (let i = 0; i < COOKIE.length; i++) if (bytes[at + TRANSACTION_AT + i] !== COOKIE[i]) return false;
  return true;
}

function word(bytes: Uint8Array, at: number): number {
  return (bytes[at] << 8) | bytes[at + 1];
}

function writeWord(w: Writer, value: number): void {
  w.byte(value >>> 8);
  w.byte(value & 255);
}
