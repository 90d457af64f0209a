// Writes the image of a binding (layout: binding.ts) from a parsed Contact of the request in the table. What to write, and
// when it ends, is registrar.ts's.

import { nonceIdOf, setEpoch, setTime, setU16, setU32, timeOf } from '../../src/core/binding/binding.ts';
import {
  CALL_ID_LENGTH,
  CSEQ,
  DISPLAY_LENGTH,
  EXPIRES_AT,
  FLAGS,
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
  SOURCE_LISTENER,
  SOURCE_NODE,
  SOURCE_PORT,
  SOURCE_TRANSPORT,
  TEXTS,
  URI_LENGTH,
  USER_AGENT_LENGTH,
} from '../../src/core/binding/image-layout.ts';
import { contactInstanceAt, contactInstanceEnd, hasInstance } from '../../src/core/binding/instance-id.ts';
import { imageFlags } from '../../src/core/register/contact/contact-reach.ts';
import {
  isNotKept,
  writeContactParams,
  writeContactUri,
  writeDisplay,
} from '../../src/core/register/contact/contact-spelling.ts';
import { flowRegId } from '../../src/core/register/outbound.ts';
import type { Exchange } from '../../src/core/uas/exchange.ts';
import { slab, table } from '../../src/sip/parser/slab.ts';
import {
  ABSENT,
  CONTACT_DISPLAY_AT,
  CONTACT_DISPLAY_END,
  CONTACT_PARAM_COUNT,
  CONTACT_PARAM_FIRST,
  CONTACT_PARAMS_AT,
  CONTACT_PARAMS_END,
  CONTACT_Q,
  H_PATH,
  H_USER_AGENT,
  PARAM_INTS,
  PARAM_NAME_AT,
  PARAM_NAME_END,
  PARAM_VALUE_END,
  ROW_INTS,
  ROW_NEXT,
  ROW_VALUE_AT,
  ROW_VALUE_END,
  T_CALL_ID_AT,
  T_CALL_ID_END,
  T_CSEQ,
  T_FIRST_ROW,
  T_PARAMS,
  T_ROWS,
  URI_AT,
  URI_END,
} from '../../src/sip/parser/span-table.ts';
import { COMMA, SEMICOLON, SP } from '../../src/sip/scanner.ts';
import type { Writer } from '../../src/sip/writer.ts';

const USER_AGENT_BYTES_MAX = 128;
/**
 * Writes the image of a Contact of the request in the table (its record starts at `contact`).
 * @param before image in the request's state that this one takes the place of, or negative
 * @param expiresAt epoch ms
 * @param asSent the contact is well formed (contact-spelling.ts); else it is written so that it is
 */
export function writeImage(
  w: Writer,
  contact: number,
  exchange: Exchange,
  before: number,
  expiresAt: number,
  asSent: boolean,
): void {
  const at = w.at;
  w.skip(KEPT);
  if (w.overflow) return;
  const bytes = w.bytes;
  setTime(bytes, at + EXPIRES_AT, expiresAt);
  const { now, state } = exchange.request;
  setTime(bytes, at + REFRESHED_AT, now);
  setTime(bytes, at + REGISTERED_AT, before >= 0 ? timeOf(state, before + REGISTERED_AT) : now);
  setU32(bytes, at + CSEQ, table[T_CSEQ]);
  writeNonce(bytes, at, exchange);
  setEpoch(bytes, at, 0);
  writeKept(w, contact, exchange, asSent);
  if (!w.overflow) setU16(bytes, at + LENGTH, w.at - at);
}

/**
 * Writes everything that an image keeps of the request in the table for one of its Contacts, and nothing else: the image
 * from KEPT on. What is not written here is the same for every request or stands in the head.
 */
function writeKept(w: Writer, contact: number, exchange: Exchange, asSent: boolean): void {
  const at = w.at - KEPT;
  w.skip(TEXTS - KEPT);
  if (w.overflow) return;
  const bytes = w.bytes;
  bytes[at + FLAGS] = imageFlags(contact, exchange);
  bytes[at + FLAGS + 1] = 0;
  setU32(bytes, at + REG_ID, flowRegId(contact, exchange.work));
  setU16(bytes, at + Q, table[contact + CONTACT_Q] >= 0 ? table[contact + CONTACT_Q] : NO_Q);
  writeSource(bytes, at, exchange);
  writeTexts(w, at, contact, asSent);
}

function writeNonce(bytes: Uint8Array, at: number, exchange: Exchange): void {
  const { authenticated, highestNc, nonceIdHigh, nonceIdLow } = exchange.work;
  setU32(bytes, at + NONCE_ID, authenticated ? nonceIdOf(nonceIdHigh, nonceIdLow) : 0);
  setU32(bytes, at + NONCE_COUNT, authenticated ? highestNc : 0);
}

function writeSource(bytes: Uint8Array, at: number, exchange: Exchange): void {
  const { peers, peer } = exchange.request;
  bytes[at + SOURCE_FAMILY] = peers.family[peer];
  bytes[at + SOURCE_TRANSPORT] = peers.transport[peer];
  bytes[at + SOURCE_LISTENER] = peers.listener[peer];
  bytes[at + SOURCE_NODE] = peers.node[peer];
  setU16(bytes, at + SOURCE_PORT, peers.port[peer]);
  setU32(bytes, at + SOURCE_FLOW, peers.flow[peer]);
  for (let i = 0; i < 16; i++) bytes[at + SOURCE_IP + i] = peers.ip[peer * 16 + i];
}

function writeTexts(w: Writer, at: number, contact: number, asSent: boolean): void {
  const bytes = w.bytes;
  let mark = w.at;
  if (!asSent) writeDisplay(w, contact);
  else if (table[contact + CONTACT_DISPLAY_AT] >= 0)
    w.span(slab, table[contact + CONTACT_DISPLAY_AT], table[contact + CONTACT_DISPLAY_END]);
  setU16(bytes, at + DISPLAY_LENGTH, w.at - mark);
  mark = w.at;
  if (asSent) w.span(slab, table[contact + URI_AT], table[contact + URI_END]);
  else writeContactUri(w, contact);
  setU16(bytes, at + URI_LENGTH, w.at - mark);
  mark = w.at;
  const instance = asSent ? writeParams(w, contact) : writeContactParams(w, contact);
  setU16(bytes, at + INSTANCE_OFFSET, instance);
  setU16(
    bytes,
    at + INSTANCE_LENGTH,
    hasInstance(contact) ? contactInstanceEnd(contact) - contactInstanceAt(contact) : 0,
  );
  while (w.at > mark && (bytes[w.at - 1] === SEMICOLON || bytes[w.at - 1] <= SP)) w.at--; // empty parameters
  setU16(bytes, at + PARAMS_LENGTH, w.at - mark);
  mark = w.at;
  w.span(slab, table[T_CALL_ID_AT], table[T_CALL_ID_END]);
  setU16(bytes, at + CALL_ID_LENGTH, w.at - mark);
  mark = w.at;
  writeUserAgent(w);
  setU16(bytes, at + USER_AGENT_LENGTH, w.at - mark);
  mark = w.at;
  writePath(w);
  setU16(bytes, at + PATH_LENGTH, w.at - mark);
}

/** All that are kept, as sent; returns where the instance ID begins behind the first of them, 0 without one. */
function writeParams(w: Writer, contact: number): number {
  const instanceAt = hasInstance(contact) ? contactInstanceAt(contact) : ABSENT;
  const start = w.at;
  let instance = 0;
  let from = table[contact + CONTACT_PARAMS_AT];
  const end = table[contact + CONTACT_PARAMS_END];
  const first = T_PARAMS + table[contact + CONTACT_PARAM_FIRST] * PARAM_INTS;
  const last = first + table[contact + CONTACT_PARAM_COUNT] * PARAM_INTS;
  for (let row = first; row < last; row += PARAM_INTS) {
    if (!isNotKept(contact, row)) continue;
    const upTo = leadingSemicolon(table[row + PARAM_NAME_AT]);
    if (instanceAt >= 0 && instanceAt >= from && instanceAt < upTo) instance = w.at - start + instanceAt - from;
    w.span(slab, from, upTo);
    from = table[row + PARAM_VALUE_END] >= 0 ? table[row + PARAM_VALUE_END] : table[row + PARAM_NAME_END];
  }
  if (instanceAt >= 0 && instanceAt >= from) instance = w.at - start + instanceAt - from;
  w.span(slab, from, end);
  return instance;
}

function leadingSemicolon(nameAt: number): number {
  let p = nameAt - 1;
  while (slab[p] !== SEMICOLON) p--;
  return p;
}

function writeUserAgent(w: Writer): void {
  const row = table[T_FIRST_ROW + H_USER_AGENT];
  if (row < 0) return;
  const at = table[T_ROWS + row * ROW_INTS + ROW_VALUE_AT];
  const end = table[T_ROWS + row * ROW_INTS + ROW_VALUE_END];
  w.span(slab, at, end - at > USER_AGENT_BYTES_MAX ? at + USER_AGENT_BYTES_MAX : end);
}

function writePath(w: Writer): void {
  for (let row = table[T_FIRST_ROW + H_PATH]; row !== ABSENT; row = table[T_ROWS + row * ROW_INTS + ROW_NEXT]) {
    if (row !== table[T_FIRST_ROW + H_PATH]) w.byte(COMMA);
    const at = T_ROWS + row * ROW_INTS;
    w.span(slab, table[at + ROW_VALUE_AT], table[at + ROW_VALUE_END]);
  }
}
