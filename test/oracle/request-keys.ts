// Keyed hashes that name a request: what tells one request from another, what §17.2.3 matches, and the To tag.
// Keys of hash tables only; the secret is the caller's.

import { slab, table } from '../../src/sip/parser/slab.ts';
import {
  ADDRESS_TAG_AT,
  ADDRESS_TAG_END,
  T_CALL_ID_AT,
  T_CALL_ID_END,
  T_CSEQ,
  T_FROM,
  T_METHOD_AT,
  T_METHOD_END,
  T_REQUEST_URI,
  T_TO,
  T_VIAS,
  URI_AT,
  URI_END,
  VIA_AT,
  VIA_BRANCH_AT,
  VIA_BRANCH_END,
  VIA_END,
  VIA_HOST_AT,
  VIA_HOST_END,
  VIA_PORT,
} from '../../src/sip/parser/span-table.ts';
import { isText } from '../../src/sip/scanner.ts';
import { SipHash } from '../../src/sip/siphash.ts';

const INVITE = Uint8Array.from('INVITE', (c) => c.charCodeAt(0));
const COOKIE = Uint8Array.from('z9hg4bk', (c) => c.charCodeAt(0));

// What is hashed begins with a byte of its own, so that one hash can never stand for another.
const OF_REQUEST = 1;
const OF_BRANCH = 2;
const OF_OLD_BRANCH = 3;
const OF_TAG = 4;
const SEPARATOR = 0;

export class RequestKeys {
  /** From tag, Call-ID, CSeq number and method: the same for every copy of a request, by whatever way it comes. */
  requestHigh = 0;
  requestLow = 0;
  /** Branch and sent-by (§17.2.3), or without a magic cookie the fields RFC 2543 compares. */
  branchHigh = 0;
  branchLow = 0;
  /** Of all of those: the same for every retransmission, unguessable for others (§19.3, §8.2.7). */
  tagHigh = 0;
  tagLow = 0;
  private readonly hash: SipHash;

  /** @param key 16 secret bytes */
  constructor(key: Uint8Array) {
    this.hash = new SipHash(key);
  }

  /** Fills all keys for the request in the table; what a malformed request lacks counts as empty. */
  compute(): void {
    this.computeAs(slab, table[T_METHOD_AT], table[T_METHOD_END]);
    this.takeBranch();
    this.computeTag();
  }

  /** The request key, as if the method were bytes[methodAt, methodEnd): how a CANCEL finds what it cancels. */
  computeAs(bytes: Uint8Array, methodAt: number, methodEnd: number): void {
    const hash = this.hash;
    hash.begin();
    hash.byte(OF_REQUEST);
    this.span(T_FROM + ADDRESS_TAG_AT, T_FROM + ADDRESS_TAG_END);
    this.span(T_CALL_ID_AT, T_CALL_ID_END);
    this.hash.word(table[T_CSEQ]);
    hash.span(bytes, methodAt, methodEnd);
    hash.end();
    this.requestHigh = hash.out[0] | 0;
    this.requestLow = hash.out[1] | 0;
  }

  /** The keys of the INVITE that the ACK in the table confirms (§17.2.3). */
  computeAcknowledged(): void {
    this.computeAs(INVITE, 0, INVITE.length);
    this.takeBranch();
  }

  private takeBranch(): void {
    const hash = this.hash;
    hash.begin();
    if (hasCookie()) {
      hash.byte(OF_BRANCH);
      this.span(T_VIAS + VIA_BRANCH_AT, T_VIAS + VIA_BRANCH_END);
      this.span(T_VIAS + VIA_HOST_AT, T_VIAS + VIA_HOST_END);
      this.hash.word(table[T_VIAS + VIA_PORT]);
    } else {
      hash.byte(OF_OLD_BRANCH);
      this.span(T_REQUEST_URI + URI_AT, T_REQUEST_URI + URI_END);
      this.span(T_TO + ADDRESS_TAG_AT, T_TO + ADDRESS_TAG_END);
      this.span(T_VIAS + VIA_AT, T_VIAS + VIA_END);
    }
    hash.end();
    this.branchHigh = hash.out[0] | 0;
    this.branchLow = hash.out[1] | 0;
  }

  /** Fills the tag from the other keys; after `computeAs` for a CANCEL, the tag of what it cancels (§9.2). */
  computeTag(): void {
    const hash = this.hash;
    hash.begin();
    hash.byte(OF_TAG);
    this.hash.word(this.requestHigh);
    this.hash.word(this.requestLow);
    this.hash.word(this.branchHigh);
    this.hash.word(this.branchLow);
    hash.end();
    this.tagHigh = hash.out[0] | 0;
    this.tagLow = hash.out[1] | 0;
  }

  private span(at: number, end: number): void {
    if (table[at] >= 0) this.hash.span(slab, table[at], table[end]);
    this.hash.byte(SEPARATOR);
  }
}

/** Whether the top branch starts with the magic cookie and has something behind it (RFC 4475 §3.2.1: the cookie alone is none). */
function hasCookie(): boolean {
  const at = table[T_VIAS + VIA_BRANCH_AT];
  if (at < 0 || table[T_VIAS + VIA_BRANCH_END] - at <= COOKIE.length) return false;
  return isText(slab, at, at + COOKIE.length, COOKIE);
}
