// What arrives beside messages on a UDP port: CRLFs that say "still here" (RFC 5626 §3.5.1) and STUN requests that want to
// know how (§3.5.2). On a stream neither comes this far. @hot

import { slab } from '../../sip/parser/slab.ts';
import { answerStun } from '../../sip/stun.ts';
import type { Exchange } from './exchange.ts';

/** CRLFs or nothing at all, as some phones send, or STUN, which begins as no SIP message does. */
export function isKeepAlive(at: number, length: number): boolean {
  if (length > 0 && slab[at] < 2) return true;
  if (length > 4) return false;
  for (let i = 0; i < length; i++)
    if (slab[at + i] !== 0x0d && slab[at + i] !== 0x0a && slab[at + i] !== 0) return false;
  return true;
}

/** Writes the answer that slab[at, at + length) draws; false where it draws none. */
export function answerKeepAlive(exchange: Exchange, at: number, length: number): boolean {
  const { answer } = exchange.result;
  const { peers, peer } = exchange.request;
  return answerStun(answer, slab, at, at + length, peers.family[peer], peers.ip, peer << 4, peers.port[peer]);
}
