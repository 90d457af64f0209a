// Keep-alives beside messages on a UDP port: CRLFs (RFC 5626 §3.5.1), and STUN requests that
// expect an answer (§3.5.2). On a stream neither reaches this file. @hot

import { slab } from '../../sip/parser/slab.ts';
import { answerStun } from '../../sip/stun.ts';
import type { Exchange } from './exchange.ts';

/** Whether a datagram is CRLFs, or empty, as some phones send, or STUN, whose first byte begins no SIP message. */
export function isKeepAlive(at: number, length: number): boolean {
  if (length > 0 && slab[at] < 2) return true;
  if (length > 4) return false;
  for (let i = 0; i < length; i++)
    if (slab[at + i] !== 0x0d && slab[at + i] !== 0x0a && slab[at + i] !== 0) return false;
  return true;
}

/** Writes the answer to slab[at, at + length); false where it draws none. */
export function answerKeepAlive(exchange: Exchange, at: number, length: number): boolean {
  const { answer } = exchange.result;
  const { peers, peer } = exchange.request;
  return answerStun(answer, slab, at, at + length, peers.family[peer], peers.ip, peer << 4, peers.port[peer]);
}
