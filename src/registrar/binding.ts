// A binding as bytes: the image that the store keeps and the core compares, copies and lists.
// Here: its layout, reading its fields and writing one from a parsed Contact. What to do with it is registrar.ts's.
// @hot

import { SEMICOLON, SP } from '../sip/scanner.ts';
import type { SipHash } from '../sip/siphash.ts';
import { slab, table } from '../sip/slab.ts';
import {
  CONTACT_DISPLAY_AT,
  CONTACT_DISPLAY_END,
  CONTACT_EXPIRES_AT,
  CONTACT_EXPIRES_END,
  CONTACT_PARAMS_AT,
  CONTACT_PARAMS_END,
  CONTACT_Q,
  CONTACT_REG_ID,
  H_USER_AGENT,
  ROW_INTS,
  ROW_VALUE_AT,
  ROW_VALUE_END,
  T_CALL_ID_AT,
  T_CALL_ID_END,
  T_CSEQ,
  T_FIRST_ROW,
  T_ROWS,
  URI_AT,
  URI_END,
} from '../sip/span-table.ts';
import type { Writer } from '../sip/writer.ts';
import type { Outbox } from './outbox.ts';
import type { Peers } from './peers.ts';
import type { PlainBinding } from './plain-refresh.ts';

// Offsets in an image; numbers are little-endian, times are milliseconds since 1970 in eight bytes.
const LENGTH = 0; // u16, of the whole image
const EXPIRES_AT = 2;
const REFRESHED_AT = 10;
const REGISTERED_AT = 18;
const CSEQ = 26; // u32
const REG_ID = 30; // u32, 0 where there is none
const Q = 34; // u16 in thousandths, NO_Q where there is none
const SOURCE_FAMILY = 36;
const SOURCE_TRANSPORT = 37;
const SOURCE_LISTENER = 38;
// 39 is spare
const SOURCE_PORT = 40; // u16
const SOURCE_FLOW = 42; // u32
const SOURCE_IP = 46; // 16 bytes
const NONCE_ID_HIGH = 62; // u32 each: the nonce that the last request was authenticated with, and its highest nc
const NONCE_ID_LOW = 66;
const NONCE_COUNT = 70;
const DISPLAY_LENGTH = 74; // u16 each, in the order in which the texts follow
const URI_LENGTH = 76;
const PARAMS_LENGTH = 78;
const CALL_ID_LENGTH = 80;
const USER_AGENT_LENGTH = 82;
const PATH_LENGTH = 84;
const TEXTS = 86;

const NO_Q = 0xffff;
const USER_AGENT_BYTES_MAX = 128;

function u16(bytes: Uint8Array, at: number): number {
  return bytes[at] | (bytes[at + 1] << 8);
}

function u32(bytes: Uint8Array, at: number): number {
  return (bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24)) >>> 0;
}

function time(bytes: Uint8Array, at: number): number {
  return u32(bytes, at + 4) * 4294967296 + u32(bytes, at);
}

function setU16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
}

function setU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
  bytes[at + 2] = value >>> 16;
  bytes[at + 3] = value >>> 24;
}

function setTime(bytes: Uint8Array, at: number, ms: number): void {
  setU32(bytes, at, ms % 4294967296);
  setU32(bytes, at + 4, Math.floor(ms / 4294967296));
}

export function imageLength(bytes: Uint8Array, at: number): number {
  return u16(bytes, at + LENGTH);
}

/** Epoch milliseconds at which the binding ends; it is gone when `now` has reached it. */
export function expiresAtOf(bytes: Uint8Array, at: number): number {
  return time(bytes, at + EXPIRES_AT);
}

export function refreshedAtOf(bytes: Uint8Array, at: number): number {
  return time(bytes, at + REFRESHED_AT);
}

export function cseqOf(bytes: Uint8Array, at: number): number {
  return u32(bytes, at + CSEQ);
}

export function displayAt(_bytes: Uint8Array, at: number): number {
  return at + TEXTS;
}

export function uriAt(bytes: Uint8Array, at: number): number {
  return at + TEXTS + u16(bytes, at + DISPLAY_LENGTH);
}

export function uriEnd(bytes: Uint8Array, at: number): number {
  return uriAt(bytes, at) + u16(bytes, at + URI_LENGTH);
}

/** Contact parameters as sent, from the first ";", without `expires`. */
export function paramsEnd(bytes: Uint8Array, at: number): number {
  return uriEnd(bytes, at) + u16(bytes, at + PARAMS_LENGTH);
}

export function callIdEnd(bytes: Uint8Array, at: number): number {
  return paramsEnd(bytes, at) + u16(bytes, at + CALL_ID_LENGTH);
}

/** Whether the binding's Call-ID is that of the request in the table: byte by byte (RFC 3261 §20.8). */
export function hasCallIdOfRequest(bytes: Uint8Array, at: number): boolean {
  const length = u16(bytes, at + CALL_ID_LENGTH);
  const requestAt = table[T_CALL_ID_AT];
  if (length !== table[T_CALL_ID_END] - requestAt) return false;
  const callId = paramsEnd(bytes, at);
  for (let i = 0; i < length; i++) if (bytes[callId + i] !== slab[requestAt + i]) return false;
  return true;
}

/**
 * Whether `at` starts a whole image that ends at or before `end`: what a record's checksum cannot promise of a record
 * written by a faulty program.
 */
export function isImage(bytes: Uint8Array, at: number, end: number): boolean {
  if (end - at < TEXTS) return false;
  const length = imageLength(bytes, at);
  if (length < TEXTS || at + length > end) return false;
  const texts = callIdEnd(bytes, at) + u16(bytes, at + USER_AGENT_LENGTH) + u16(bytes, at + PATH_LENGTH);
  return texts === at + length;
}

/** The highest nc the binding names for a nonce, or -1 where it names another nonce or none. */
export function highestNcOf(bytes: Uint8Array, at: number, idHigh: number, idLow: number): number {
  if (u32(bytes, at + NONCE_ID_HIGH) !== idHigh >>> 0 || u32(bytes, at + NONCE_ID_LOW) !== idLow >>> 0) return -1;
  return u32(bytes, at + NONCE_COUNT);
}

/** Raises the nc that the binding names for a nonce, where it names this one. */
export function raiseNc(bytes: Uint8Array, at: number, idHigh: number, idLow: number, nc: number): void {
  const known = highestNcOf(bytes, at, idHigh, idLow);
  if (known >= 0 && known < nc) setU32(bytes, at + NONCE_COUNT, nc);
}

/**
 * What of the image at `at` a refresh leaves as it was: all but its times, CSeq and nonce. A field that is added to the
 * layout belongs here or into refreshImage.
 */
export function hashIdentity(hash: SipHash, bytes: Uint8Array, at: number): void {
  hash.span(bytes, at + REG_ID, at + NONCE_ID_HIGH);
  hash.span(bytes, at + DISPLAY_LENGTH, at + u16(bytes, at + LENGTH));
}

/** Whether no rule beyond §10.3 step 7 looks at this Contact of the request (its record starts at `contact`). */
export function mayBePlain(contact: number): boolean {
  return table[contact + CONTACT_REG_ID] <= 0;
}

/** The image at `at` becomes what a refresh has made of it since it was written. */
export function refreshImage(bytes: Uint8Array, at: number, binding: PlainBinding): void {
  setTime(bytes, at + EXPIRES_AT, binding.expiresAt);
  setTime(bytes, at + REFRESHED_AT, binding.expiresAt - binding.grantedS * 1000);
  setU32(bytes, at + CSEQ, binding.cseq);
  setU32(bytes, at + NONCE_ID_HIGH, binding.nonceIdHigh);
  setU32(bytes, at + NONCE_ID_LOW, binding.nonceIdLow);
  setU32(bytes, at + NONCE_COUNT, binding.highestNc);
}

/** What a refresh may change in the image at `at`, for whoever does without it. False: it cannot be said so. */
export function describeImage(bytes: Uint8Array, at: number, into: PlainBinding): boolean {
  into.expiresAt = time(bytes, at + EXPIRES_AT);
  into.grantedS = (into.expiresAt - time(bytes, at + REFRESHED_AT)) / 1000;
  into.cseq = u32(bytes, at + CSEQ);
  into.nonceIdHigh = u32(bytes, at + NONCE_ID_HIGH);
  into.nonceIdLow = u32(bytes, at + NONCE_ID_LOW);
  into.highestNc = u32(bytes, at + NONCE_COUNT);
  return into.grantedS >= 0 && Number.isInteger(into.grantedS);
}

/**
 * Writes the image of a Contact of the request in the table (its record starts at `contact`).
 * @param before image in the outbox's state that this one takes the place of, or negative
 * @param expiresAt epoch ms
 */
export function writeImage(w: Writer, contact: number, out: Outbox, before: number, expiresAt: number): void {
  const at = w.at;
  w.skip(TEXTS);
  if (w.overflow) return;
  const bytes = w.bytes;
  setTime(bytes, at + EXPIRES_AT, expiresAt);
  setTime(bytes, at + REFRESHED_AT, out.now);
  setTime(bytes, at + REGISTERED_AT, before >= 0 ? time(out.state, before + REGISTERED_AT) : out.now);
  setU32(bytes, at + CSEQ, table[T_CSEQ]);
  setU32(bytes, at + REG_ID, table[contact + CONTACT_REG_ID] > 0 ? table[contact + CONTACT_REG_ID] : 0);
  setU16(bytes, at + Q, table[contact + CONTACT_Q] >= 0 ? table[contact + CONTACT_Q] : NO_Q);
  writeSource(bytes, at, out.peers, out.peer);
  writeNonce(bytes, at, out);
  writeTexts(w, at, contact);
  if (!w.overflow) setU16(bytes, at + LENGTH, w.at - at);
}

function writeNonce(bytes: Uint8Array, at: number, out: Outbox): void {
  setU32(bytes, at + NONCE_ID_HIGH, out.authenticated ? out.nonceIdHigh : 0);
  setU32(bytes, at + NONCE_ID_LOW, out.authenticated ? out.nonceIdLow : 0);
  setU32(bytes, at + NONCE_COUNT, out.authenticated ? out.highestNc : 0);
}

function writeSource(bytes: Uint8Array, at: number, peers: Peers, peer: number): void {
  bytes[at + SOURCE_FAMILY] = peers.family[peer];
  bytes[at + SOURCE_TRANSPORT] = peers.transport[peer];
  bytes[at + SOURCE_LISTENER] = peers.listener[peer];
  bytes[at + SOURCE_LISTENER + 1] = 0;
  setU16(bytes, at + SOURCE_PORT, peers.port[peer]);
  setU32(bytes, at + SOURCE_FLOW, peers.flow[peer]);
  for (let i = 0; i < 16; i++) bytes[at + SOURCE_IP + i] = peers.ip[peer * 16 + i];
}

function writeTexts(w: Writer, at: number, contact: number): void {
  const bytes = w.bytes;
  let mark = w.at;
  if (table[contact + CONTACT_DISPLAY_AT] >= 0)
    w.span(slab, table[contact + CONTACT_DISPLAY_AT], table[contact + CONTACT_DISPLAY_END]);
  setU16(bytes, at + DISPLAY_LENGTH, w.at - mark);
  mark = w.at;
  w.span(slab, table[contact + URI_AT], table[contact + URI_END]);
  setU16(bytes, at + URI_LENGTH, w.at - mark);
  mark = w.at;
  writeParamsButExpires(w, contact);
  while (w.at > mark && (bytes[w.at - 1] === SEMICOLON || bytes[w.at - 1] <= SP)) w.at--; // empty parameters
  setU16(bytes, at + PARAMS_LENGTH, w.at - mark);
  mark = w.at;
  w.span(slab, table[T_CALL_ID_AT], table[T_CALL_ID_END]);
  setU16(bytes, at + CALL_ID_LENGTH, w.at - mark);
  mark = w.at;
  writeUserAgent(w);
  setU16(bytes, at + USER_AGENT_LENGTH, w.at - mark);
  setU16(bytes, at + PATH_LENGTH, 0);
}

function writeParamsButExpires(w: Writer, contact: number): void {
  const paramsAt = table[contact + CONTACT_PARAMS_AT];
  if (paramsAt < 0) return;
  const expiresAt = table[contact + CONTACT_EXPIRES_AT];
  if (expiresAt < 0) {
    w.span(slab, paramsAt, table[contact + CONTACT_PARAMS_END]);
    return;
  }
  w.span(slab, paramsAt, expiresAt);
  w.span(slab, table[contact + CONTACT_EXPIRES_END], table[contact + CONTACT_PARAMS_END]);
}

function writeUserAgent(w: Writer): void {
  const row = table[T_FIRST_ROW + H_USER_AGENT];
  if (row < 0) return;
  const at = table[T_ROWS + row * ROW_INTS + ROW_VALUE_AT];
  const end = table[T_ROWS + row * ROW_INTS + ROW_VALUE_END];
  w.span(slab, at, end - at > USER_AGENT_BYTES_MAX ? at + USER_AGENT_BYTES_MAX : end);
}
