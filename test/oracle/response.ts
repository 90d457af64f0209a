// The frame of every answer (RFC 3261 §8.2.6): status line, Via, From, To, Call-ID, CSeq copied from the request in the
// table, Content-Length; and where it goes (§18.2.2, RFC 3581 §4). Which status and what else is inside: the callers'.

import type { Exchange } from '../../src/core/uas/exchange.ts';
import { writeIp } from '../../src/sip/ip.ts';
import { slab, table } from '../../src/sip/parser/slab.ts';
import {
  ABSENT,
  ADDRESS_TAG_AT,
  ADDRESS_TAG_END,
  H_CALL_ID,
  H_CSEQ,
  H_FROM,
  H_TO,
  H_VIA,
  ROW_INTS,
  ROW_NEXT,
  ROW_VALUE_AT,
  ROW_VALUE_END,
  T_FIRST_ROW,
  T_ROWS,
  T_TO,
  T_VIA_COUNT,
  T_VIAS,
  VIA_END,
  VIA_HOST_AT,
  VIA_HOST_END,
  VIA_RECEIVED_AT,
  VIA_RECEIVED_END,
  VIA_RPORT_AT,
  VIA_RPORT_END,
} from '../../src/sip/parser/span-table.ts';
import { SEMICOLON, SP, TAB } from '../../src/sip/scanner.ts';
import { ascii, type Writer } from '../../src/sip/writer.ts';

const VERSION = ascii('SIP/2.0 ');
const VIA = ascii('\r\nVia: ');
const FROM = ascii('\r\nFrom: ');
const TO = ascii('\r\nTo: ');
const CALL_ID = ascii('\r\nCall-ID: ');
const CSEQ = ascii('\r\nCSeq: ');
const CRLF = ascii('\r\n');
const TAG = ascii(';tag=');
const RPORT = ascii(';rport=');
const RECEIVED = ascii(';received=');
const HEX = ascii('0123456789abcdef');

const ip = { bytes: new Uint8Array(48), length: 0 };

/** The top Via was readable as far as sent-by. */
function topViaIsRead(): boolean {
  return table[T_VIA_COUNT] > 0;
}

/** Starts the answer: all that is copied from the request. The caller's header lines follow, then endResponse. */
export function startResponse(exchange: Exchange, status: number, phrase: Uint8Array): void {
  const w = exchange.result.answer;
  exchange.result.status = status;
  w.text(VERSION);
  w.number(status);
  w.byte(0x20);
  w.text(phrase);
  writeVias(w, exchange);
  writeRow(w, FROM, H_FROM);
  writeTo(w, exchange);
  writeRow(w, CALL_ID, H_CALL_ID);
  writeRow(w, CSEQ, H_CSEQ);
  w.text(CRLF);
}

/** Copies a header that may stand once; nothing where it was missing. */
function writeRow(w: Writer, name: Uint8Array, id: number): void {
  const row = table[T_FIRST_ROW + id];
  if (row < 0) return;
  const at = T_ROWS + row * ROW_INTS;
  w.text(name);
  w.span(slab, table[at + ROW_VALUE_AT], table[at + ROW_VALUE_END]);
}

/** The end of [at, end) without empty parameters, so that one of ours may follow. */
function lastParamEnd(at: number, end: number): number {
  let p = end;
  while (p > at && (slab[p - 1] === SEMICOLON || slab[p - 1] === SP || slab[p - 1] === TAB)) p--;
  return p;
}

/** Where the parameter without a value begins that ends at `end`. */
function paramBefore(end: number): number {
  let p = end - 1;
  while (slab[p] !== SEMICOLON) p--;
  return p;
}

function writeTo(w: Writer, exchange: Exchange): void {
  const row = table[T_FIRST_ROW + H_TO];
  if (row < 0) return;
  if (table[T_TO + ADDRESS_TAG_AT] >= 0) return writeRow(w, TO, H_TO);
  const at = table[T_ROWS + row * ROW_INTS + ROW_VALUE_AT];
  const end = table[T_ROWS + row * ROW_INTS + ROW_VALUE_END];
  const emptyTagEnd = table[T_TO + ADDRESS_TAG_END];
  w.text(TO);
  if (emptyTagEnd >= 0) w.span(slab, at, paramBefore(emptyTagEnd));
  const from = emptyTagEnd >= 0 ? emptyTagEnd : at;
  w.span(slab, from, lastParamEnd(from, end));
  w.text(TAG);
  writeHex(w, exchange.request.tagHigh);
  writeHex(w, exchange.request.tagLow);
}

function writeHex(w: Writer, word: number): void {
  for (let shift = 28; shift >= 0; shift -= 4) w.byte(HEX[(word >>> shift) & 15]);
}

function writeVias(w: Writer, exchange: Exchange): void {
  let row = table[T_FIRST_ROW + H_VIA];
  let top = true;
  while (row !== ABSENT) {
    const at = T_ROWS + row * ROW_INTS;
    w.text(VIA);
    if (top && topViaIsRead()) writeTopRow(w, exchange, table[at + ROW_VALUE_AT], table[at + ROW_VALUE_END]);
    else w.span(slab, table[at + ROW_VALUE_AT], table[at + ROW_VALUE_END]);
    top = false;
    row = table[at + ROW_NEXT];
  }
}

/** The first row: its first value gets rport and received filled in by what we saw (RFC 3581 §4, RFC 3261 §18.2.1). */
function writeTopRow(w: Writer, exchange: Exchange, rowAt: number, rowEnd: number): void {
  const { peers, peer } = exchange.request;
  const rportAt = table[T_VIAS + VIA_RPORT_AT];
  const receivedAt = table[T_VIAS + VIA_RECEIVED_AT];
  const viaEnd = table[T_VIAS + VIA_END];
  let from = rowAt;
  // The client's own received and rport are cut out, whichever comes first.
  if (receivedAt >= 0 && (rportAt < 0 || receivedAt < rportAt)) {
    w.span(slab, from, receivedAt);
    from = table[T_VIAS + VIA_RECEIVED_END];
  }
  if (rportAt >= 0) {
    w.span(slab, from, rportAt);
    from = table[T_VIAS + VIA_RPORT_END];
    // A WebSocket's port may be unknown; then the parameter stays as empty as it was.
    if (peers.port[peer] === 0) w.span(slab, rportAt, from);
    else {
      w.text(RPORT);
      w.number(peers.port[peer]);
    }
  }
  if (receivedAt >= 0 && rportAt >= 0 && receivedAt > rportAt) {
    w.span(slab, from, receivedAt);
    from = table[T_VIAS + VIA_RECEIVED_END];
  }
  w.span(slab, from, lastParamEnd(from, viaEnd));
  ip.length = writeIp(peers, peer, ip.bytes);
  if (rportAt >= 0 || !sentByIsSource()) {
    w.text(RECEIVED);
    w.span(ip.bytes, 0, ip.length);
  }
  w.span(slab, viaEnd, rowEnd);
}

function sentByIsSource(): boolean {
  let at = table[T_VIAS + VIA_HOST_AT];
  let end = table[T_VIAS + VIA_HOST_END];
  if (slab[at] === 0x5b) {
    at++;
    end--;
  }
  if (end - at !== ip.length) return false;
  for (let i = 0; i < ip.length; i++) if (slab[at + i] !== ip.bytes[i]) return false;
  return true;
}
