// What arrives beside messages on a UDP port: CRLFs that say "still here" (RFC 5626 §3.5.1) and STUN requests that want to
// know how (§3.5.2). On a stream neither comes this far. @hot

import { slab } from '../../sip/parser/slab.ts';
import { answerStun } from '../../sip/stun.ts';
import type { Outbox } from './outbox.ts';

/** CRLFs or nothing at all, as some phones send, or STUN, which begins as no SIP message does. */
export function isKeepAlive(at: number, length: number): boolean {
  if (length > 0 && slab[at] < 2) return true;
  if (length > 4) return false;
  for (let i = 0; i < length; i++)
    if (slab[at + i] !== 0x0d && slab[at + i] !== 0x0a && slab[at + i] !== 0) return false;
  return true;
}

/** Writes the answer that slab[at, at + length) draws into the outbox; false where it draws none. */
export function answerKeepAlive(out: Outbox, at: number, length: number): boolean {
  const { answer, peers, peer } = out;
  return answerStun(answer, slab, at, at + length, peers.family[peer], peers.ip, peer << 4, peers.port[peer]);
}
