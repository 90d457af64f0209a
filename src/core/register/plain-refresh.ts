// What a registrar knows of an AOR's only binding without its record, and whether a request asks for nothing but that
// this binding live on: everything that its image keeps is as it was (binding.ts says what that is). Such a refresh
// changes when the binding ends, its CSeq and its nonce, and is decided and answered from the request alone. @hot

import { table } from '../../sip/parser/slab.ts';
import { T_CONTACT_COUNT, T_CONTACT_STAR, T_CONTACTS, T_CSEQ } from '../../sip/parser/span-table.ts';
import { SipHash } from '../../sip/siphash.ts';
import { hashKept } from '../binding/binding.ts';
import type { PlainBinding } from '../binding/plain-binding.ts';
import type { Outbox } from '../uas/outbox.ts';
import { writeImage } from './binding-writer.ts';

export class Identity {
  high = 0;
  low = 0;
  readonly key: Uint8Array;
  private readonly hash: SipHash;

  /** @param key 16 secret bytes */
  constructor(key: Uint8Array) {
    this.key = key;
    this.hash = new SipHash(key);
  }

  /** Of the image at `at`; never zero. */
  take(bytes: Uint8Array, at: number): void {
    const { hash } = this;
    hash.begin();
    hashKept(hash, bytes, at);
    hash.end();
    this.high = hash.out[0];
    this.low = (hash.out[1] | 1) >>> 0;
  }
}

/**
 * Whether the request in the table may be a plain refresh of `binding` as far as that can be told without its texts: one
 * contact, no "*", a binding that has not run out, a CSeq that is in order whatever the Call-ID.
 */
export function mayRefresh(binding: PlainBinding, now: number): boolean {
  if (table[T_CONTACT_COUNT] !== 1 || table[T_CONTACT_STAR] !== 0) return false;
  return binding.expiresAt > now && table[T_CSEQ] >>> 0 > binding.cseq;
}

/**
 * Writes the image that the request would make into the outbox's record; whether it is the binding's, but for what a refresh changes.
 * That of a contact that is kept in another spelling never is.
 */
export function isSameBinding(out: Outbox, binding: PlainBinding, identity: Identity, expiresAt: number): boolean {
  const w = out.record;
  const at = w.at;
  writeImage(w, T_CONTACTS, out, -1, expiresAt, true);
  if (w.overflow) return false;
  identity.take(w.bytes, at);
  return identity.high === binding.identityHigh && identity.low === binding.identityLow;
}
