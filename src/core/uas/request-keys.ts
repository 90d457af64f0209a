// Keyed hashes that identify a request: the request itself, its transaction by §17.2.3, and the To tag. simd/keys.ts computes them.
// Keys of hash tables only; the secret is the caller's. @hot

import { METHOD_TEXT } from '../wasm/module-memory.ts';
import { keyWords, moduleBytes, requestKeys, requestModule } from '../wasm/request-module.ts';

// Constants of this module: V8 compiles them in, while it loads an import each time it is used.
const module = requestModule;
const keys = requestKeys;

const INVITE = Uint8Array.from('INVITE', (c) => c.charCodeAt(0));

export class RequestKeys {
  /** From tag, Call-ID, CSeq number and method: the same for every copy of a request, on any way. */
  requestHigh = 0;
  requestLow = 0;
  /** Branch and sent-by (§17.2.3), or without a magic cookie the fields that RFC 2543 compares. */
  branchHigh = 0;
  branchLow = 0;
  /** From all of those: the same for every retransmission, unguessable for others (§19.3, §8.2.7). */
  tagHigh = 0;
  tagLow = 0;
  private readonly words: Int32Array;

  /** @param key 16 secret bytes */
  constructor(key: Uint8Array) {
    this.words = keyWords(key);
  }

  /** Computes all keys of the request in the table; missing fields of a malformed request count as empty. */
  compute(): void {
    const { words } = this;
    module.hashRequest(words[0], words[1], words[2], words[3]);
    this.requestHigh = keys[0];
    this.requestLow = keys[1];
    this.branchHigh = keys[2];
    this.branchLow = keys[3];
    this.tagHigh = keys[4];
    this.tagLow = keys[5];
  }

  /** The request key with another method, of 32 bytes at most: finds the request that a CANCEL cancels. */
  computeAs(method: Uint8Array): void {
    const { words } = this;
    moduleBytes.set(method, METHOD_TEXT);
    module.hashRequestAs(METHOD_TEXT, METHOD_TEXT + method.length, words[0], words[1], words[2], words[3]);
    this.requestHigh = keys[0];
    this.requestLow = keys[1];
  }

  /** The keys of the INVITE that the ACK in the table confirms (§17.2.3). */
  computeAcknowledged(): void {
    this.computeAs(INVITE);
    this.branchHigh = keys[2];
    this.branchLow = keys[3];
  }

  /** After `computeAs` for a CANCEL: the tag of the cancelled request (§9.2). */
  computeTag(): void {
    this.tagHigh = keys[4];
    this.tagLow = keys[5];
  }
}
