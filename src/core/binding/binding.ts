// A binding as bytes: the image that the store keeps and the core compares, copies and lists (layout: image-layout.ts). This file
// reads each field of an image at bytes[at]; binding-writer.ts writes an image from a parsed Contact.
// @hot

import { slab, table } from '../../sip/parser/slab.ts';
import { T_CALL_ID_AT, T_CALL_ID_END } from '../../sip/parser/span-table.ts';
import { sameBytes } from '../../sip/scanner.ts';
import type { SipHash } from '../../sip/siphash.ts';
import {
  CALL_ID_LENGTH,
  CSEQ,
  DISPLAY_LENGTH,
  EXPIRES_AT,
  FLAGS,
  GRUU_EPOCH,
  IMAGE_ASLEEP,
  INSTANCE_LENGTH,
  INSTANCE_OFFSET,
  KEPT,
  LENGTH,
  NO_Q,
  NONCE_COUNT,
  NONCE_ID,
  PARAMS_LENGTH,
  PATH_LENGTH,
  Q,
  REFRESHED_AT,
  REG_ID,
  REGISTERED_AT,
  SOURCE_FAMILY,
  SOURCE_FLOW,
  SOURCE_IP,
  SOURCE_NODE,
  SOURCE_PORT,
  SOURCE_TRANSPORT,
  TEXTS,
  URI_LENGTH,
  USER_AGENT_LENGTH,
} from './image-layout.ts';
import type { PlainBinding } from './plain-binding.ts';

function u16(bytes: Uint8Array, at: number): number {
  return bytes[at] | (bytes[at + 1] << 8);
}

function u32(bytes: Uint8Array, at: number): number {
  return (bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24)) >>> 0;
}

export function timeOf(bytes: Uint8Array, at: number): number {
  return u32(bytes, at + 4) * 4294967296 + u32(bytes, at);
}

export function setU16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
}

export function setU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
  bytes[at + 2] = value >>> 16;
  bytes[at + 3] = value >>> 24;
}

export function setTime(bytes: Uint8Array, at: number, ms: number): void {
  setU32(bytes, at, ms % 4294967296);
  setU32(bytes, at + 4, Math.floor(ms / 4294967296));
}

export function imageLength(bytes: Uint8Array, at: number): number {
  return u16(bytes, at + LENGTH);
}

/** Expiry in epoch milliseconds; the binding has expired when `now` has reached it. */
export function expiresAtOf(bytes: Uint8Array, at: number): number {
  return timeOf(bytes, at + EXPIRES_AT);
}

export function refreshedAtOf(bytes: Uint8Array, at: number): number {
  return timeOf(bytes, at + REFRESHED_AT);
}

export function registeredAtOf(bytes: Uint8Array, at: number): number {
  return timeOf(bytes, at + REGISTERED_AT);
}

export function cseqOf(bytes: Uint8Array, at: number): number {
  return u32(bytes, at + CSEQ);
}

/** Epoch: the number that the valid temporary GRUUs of the instance share; 0 without any (gruu-rules.ts). */
export function epochOf(bytes: Uint8Array, at: number): number {
  return u32(bytes, at + GRUU_EPOCH);
}

export function setEpoch(bytes: Uint8Array, at: number, epoch: number): void {
  setU32(bytes, at + GRUU_EPOCH, epoch);
}

/** Whether the image has these IMAGE_* flags. */
export function hasFlag(bytes: Uint8Array, at: number, flag: number): boolean {
  return (bytes[at + FLAGS] & flag) !== 0;
}

/** reg-id of a flow (RFC 5626 §6: instance and reg-id identify the binding), 0 where RFC 3261's rules hold. */
export function regIdOf(bytes: Uint8Array, at: number): number {
  return u32(bytes, at + REG_ID);
}

/** Thousandths, 1000 where the contact has none (RFC 3261 §20.10). */
export function qOf(bytes: Uint8Array, at: number): number {
  const q = u16(bytes, at + Q);
  return q === NO_Q ? 1000 : q;
}

/** Address family of the REGISTER's source: 4 or 6. */
export function familyOf(bytes: Uint8Array, at: number): number {
  return bytes[at + SOURCE_FAMILY];
}

/** TRANSPORT_* (sources.ts). */
export function transportOf(bytes: Uint8Array, at: number): number {
  return bytes[at + SOURCE_TRANSPORT];
}

/** The node that holds the connection; 0 where there is one node. */
export function nodeOf(bytes: Uint8Array, at: number): number {
  return bytes[at + SOURCE_NODE];
}

export function portOf(bytes: Uint8Array, at: number): number {
  return u16(bytes, at + SOURCE_PORT);
}

/** Offset of the source's address: 16 bytes in network order, of which IPv4 fills four. */
export function ipAt(at: number): number {
  return at + SOURCE_IP;
}

/** As Peers.flow; numbers of connections are never used again (transport/flow/flows.ts). */
export function flowOf(bytes: Uint8Array, at: number): number {
  return u32(bytes, at + SOURCE_FLOW);
}

/** The display name as sent, with its quotes, up to uriAt. */
export function displayAt(_bytes: Uint8Array, at: number): number {
  return at + TEXTS;
}

export function uriAt(bytes: Uint8Array, at: number): number {
  return at + TEXTS + u16(bytes, at + DISPLAY_LENGTH);
}

export function uriEnd(bytes: Uint8Array, at: number): number {
  return uriAt(bytes, at) + u16(bytes, at + URI_LENGTH);
}

/** Contact parameters as sent, from the first ";" (at uriEnd), without `expires`, `pub-gruu` and `temp-gruu`. */
export function paramsEnd(bytes: Uint8Array, at: number): number {
  return uriEnd(bytes, at) + u16(bytes, at + PARAMS_LENGTH);
}

/** The Call-ID begins at paramsEnd, the User-Agent (cut to its first 128 bytes) behind it, the Path behind that. */
export function callIdEnd(bytes: Uint8Array, at: number): number {
  return paramsEnd(bytes, at) + u16(bytes, at + CALL_ID_LENGTH);
}

export function userAgentEnd(bytes: Uint8Array, at: number): number {
  return callIdEnd(bytes, at) + u16(bytes, at + USER_AGENT_LENGTH);
}

/** The Path (RFC 3327) from userAgentEnd on: its values in order with commas between them, in the form of a Route header. */
export function pathEnd(bytes: Uint8Array, at: number): number {
  return userAgentEnd(bytes, at) + u16(bytes, at + PATH_LENGTH);
}

/** The instance ID, without quotes and brackets: urn:uuid:… (RFC 5626 §4.1). Empty where there is none. */
export function instanceAt(bytes: Uint8Array, at: number): number {
  return uriEnd(bytes, at) + u16(bytes, at + INSTANCE_OFFSET);
}

export function instanceEnd(bytes: Uint8Array, at: number): number {
  return instanceAt(bytes, at) + u16(bytes, at + INSTANCE_LENGTH);
}

/** Whether the binding's Call-ID is that of the request in the table: byte by byte (RFC 3261 §20.8). */
export function hasCallIdOfRequest(bytes: Uint8Array, at: number): boolean {
  const callId = paramsEnd(bytes, at);
  return sameBytes(bytes, callId, callIdEnd(bytes, at), slab, table[T_CALL_ID_AT], table[T_CALL_ID_END]);
}

/**
 * Whether `at` starts a whole image that ends at or before `end`. A record's checksum does not prove it: the writing program may have
 * been faulty.
 */
export function isImage(bytes: Uint8Array, at: number, end: number): boolean {
  if (end - at < TEXTS) return false;
  const length = imageLength(bytes, at);
  if (length < TEXTS || at + length > end) return false;
  return pathEnd(bytes, at) === at + length && instanceEnd(bytes, at) <= paramsEnd(bytes, at);
}

/** A nonce's two words as one word, in the form that bindings keep; never 0, which stands for no nonce. */
export function nonceIdOf(idHigh: number, idLow: number): number {
  return (Math.imul(idHigh, 0x9e3779b1) ^ idLow) >>> 0 || 1;
}

/** Whether the binding's last request was authenticated with the nonce of this id; 0: with none. */
export function isOfNonce(bytes: Uint8Array, at: number, nonceId: number): boolean {
  return u32(bytes, at + NONCE_ID) === nonceId;
}

/** The highest nc in the binding for a nonce, or -1 where the binding names another nonce or none. */
export function highestNcOf(bytes: Uint8Array, at: number, idHigh: number, idLow: number): number {
  if (u32(bytes, at + NONCE_ID) !== nonceIdOf(idHigh, idLow)) return -1;
  return u32(bytes, at + NONCE_COUNT);
}

/** Raises the nc in the binding, where it names this nonce. */
export function raiseNc(bytes: Uint8Array, at: number, idHigh: number, idLow: number, nc: number): void {
  const known = highestNcOf(bytes, at, idHigh, idLow);
  if (known >= 0 && known < nc) setU32(bytes, at + NONCE_COUNT, nc);
}

/** Hashes the part of the image at `at` that a refresh does not change. */
export function hashKept(hash: SipHash, bytes: Uint8Array, at: number): void {
  hash.span(bytes, at + KEPT, at + imageLength(bytes, at));
}

/** Applies to the image at `at` the refreshes since it was written. */
export function refreshImage(bytes: Uint8Array, at: number, binding: PlainBinding): void {
  setTime(bytes, at + EXPIRES_AT, binding.expiresAt);
  setTime(bytes, at + REFRESHED_AT, binding.expiresAt - binding.grantedS * 1000);
  setU32(bytes, at + CSEQ, binding.cseq);
  setU32(bytes, at + GRUU_EPOCH, binding.epoch);
  setU32(bytes, at + NONCE_ID, binding.nonceId);
  setU32(bytes, at + NONCE_COUNT, binding.highestNc);
}

/**
 * Reads the fields that a refresh may change in the image at `at`, for callers without the record. False: a refresh changes more, as for a
 * sleeping binding.
 */
export function describeImage(bytes: Uint8Array, at: number, into: PlainBinding): boolean {
  into.expiresAt = expiresAtOf(bytes, at);
  into.grantedS = (into.expiresAt - refreshedAtOf(bytes, at)) / 1000;
  into.cseq = cseqOf(bytes, at);
  into.epoch = epochOf(bytes, at);
  into.nonceId = u32(bytes, at + NONCE_ID);
  into.highestNc = u32(bytes, at + NONCE_COUNT);
  return into.grantedS >= 0 && Number.isInteger(into.grantedS) && !hasFlag(bytes, at, IMAGE_ASLEEP);
}
