// The frame of every answer (RFC 3261 §8.2.6): status line, Via, From, To, Call-ID, CSeq copied from the request in the
// table by simd/answer.ts, Content-Length; and its destination (§18.2.2, RFC 3581 §4). Status and other rows are the callers'.
// @hot

import { table } from '../../sip/parser/slab.ts';
import {
  ADDRESS_AT,
  H_VIA,
  T_CALL_ID_AT,
  T_CSEQ_METHOD_AT,
  T_FIRST_ROW,
  T_FROM,
  T_REQUEST_URI,
  T_TO,
  T_VIA_COUNT,
  T_VIAS,
  URI_AT,
  VIA_PORT,
  VIA_RPORT_AT,
} from '../../sip/parser/span-table.ts';
import { TRANSPORT_UDP } from '../../sip/sources.ts';
import { ascii } from '../../sip/writer.ts';
import { requestModule } from '../wasm/request-module.ts';
import { tellSource } from '../wasm/source-words.ts';
import type { Exchange, ExchangeRequest, ExchangeResult } from './exchange.ts';
import { writeWarning } from './warning.ts';

// A constant of this module: V8 compiles its address in, while it loads an import each time it is used.
const module = requestModule;

const VERSION = ascii('SIP/2.0 ');
const END = ascii('Content-Length: 0\r\n\r\n');

const DEFAULT_PORT = 5060;

/** Whether the top Via was read as far as its sent-by. */
function topViaIsRead(): boolean {
  return table[T_VIA_COUNT] > 0;
}

/**
 * Whether the request in the table can be answered. By its top Via; where that cannot be read, on its connection, or over UDP to its
 * source if all other required fields are there.
 * @param isReliable it came over a connection
 */
export function canAnswer(isReliable: boolean): boolean {
  if (topViaIsRead()) return true;
  if (table[T_FIRST_ROW + H_VIA] < 0) return false;
  if (isReliable) return true;
  return (
    table[T_REQUEST_URI + URI_AT] >= 0 &&
    table[T_FROM + ADDRESS_AT] >= 0 &&
    table[T_TO + ADDRESS_AT] >= 0 &&
    table[T_CALL_ID_AT] >= 0 &&
    table[T_CSEQ_METHOD_AT] >= 0
  );
}

/** Starts the answer with the parts copied from the request. The caller's header lines follow, then endResponse. */
export function startResponse(exchange: Exchange, status: number, phrase: Uint8Array): void {
  const { request, result } = exchange;
  const w = result.answer;
  result.status = status;
  w.text(VERSION);
  w.number(status);
  w.byte(0x20);
  w.text(phrase);
  tellSource(request.peers, request.peer, request.tagHigh, request.tagLow);
  w.advance(module.frame(w.at));
}

export function endResponse(exchange: Exchange): void {
  const { request, result } = exchange;
  const w = result.answer;
  const before = w.at;
  if (request.warns && result.status >= 400) writeWarning(w, result.reason);
  if (!fits(result)) w.at = before;
  w.text(END);
}

/** Whether the answer, if it ended now, is short enough to be sent. */
export function fits({ answer, answerBytesMax }: ExchangeResult): boolean {
  return answer.at - answer.from + END.length <= answerBytesMax;
}

/**
 * A whole answer without bindings, with at most one more header line; returns its status.
 * @param reason REASON_* (reasons.ts), for the operator
 */
export function refuse(
  exchange: Exchange,
  status: number,
  phrase: Uint8Array,
  reason: number,
  header?: Uint8Array,
): number {
  exchange.result.reason = reason;
  startResponse(exchange, status, phrase);
  if (header !== undefined) exchange.result.answer.text(header);
  endResponse(exchange);
  return status;
}

/**
 * Port on the peer's address for the answer over UDP: rport's, or sent-by's (RFC 3581 §4, RFC 3261 §18.2.2). With forcesRport
 * every Via counts as if it had rport: the sent-by of a phone behind NAT cannot be reached.
 */
export function answerPort({ peers, peer, forcesRport }: Readonly<ExchangeRequest>): number {
  const peerPort = peers.port[peer];
  if (peers.transport[peer] !== TRANSPORT_UDP || table[T_VIAS + VIA_RPORT_AT] >= 0) return peerPort;
  if (forcesRport || !topViaIsRead()) return peerPort;
  const port = table[T_VIAS + VIA_PORT];
  return port > 0 ? port : DEFAULT_PORT;
}
