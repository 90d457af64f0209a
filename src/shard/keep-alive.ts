// Datagrams that ask for nothing and get nothing. Looked at before anything else.
// @hot

import { slab } from '../sip/slab.ts';

/** CRLFs or nothing at all (RFC 5626 §3.5.1, and what some phones send instead), or a STUN message (§3.5.2). */
export function isKeepAlive(at: number, length: number): boolean {
  if (length > 0 && slab[at] < 2) return true;
  if (length > 4) return false;
  for (let i = 0; i < length; i++)
    if (slab[at + i] !== 0x0d && slab[at + i] !== 0x0a && slab[at + i] !== 0) return false;
  return true;
}
