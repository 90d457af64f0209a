// The identity of an AOR's only binding: a keyed hash of all that its image keeps of the request (hashKept in binding.ts). It tells
// without the record whether a request leaves the binding unchanged. A refresh does not change it.
// @hot

import { SipHash } from '../../sip/siphash.ts';
import { aorHash, keyWords, requestModule } from '../wasm/request-module.ts';
import { hashKept } from './binding.ts';

// Constants of this module: V8 compiles them in, while it loads an import each time it is used.
const module = requestModule;
const result = aorHash;

export class Identity {
  high = 0;
  low = 0;
  /** The key as four words. */
  readonly words: Int32Array;
  private readonly hash: SipHash;

  /** @param key 16 secret bytes */
  constructor(key: Uint8Array) {
    this.words = keyWords(key);
    this.hash = new SipHash(key);
  }

  /** Hashes the image at `at`; never zero. */
  compute(bytes: Uint8Array, at: number): void {
    const { hash } = this;
    hash.begin();
    hashKept(hash, bytes, at);
    hash.end();
    this.high = hash.out[0];
    this.low = (hash.out[1] | 1) >>> 0;
  }

  /** Hashes the image that the module has written last. */
  computeWritten(): void {
    const { words } = this;
    module.identity(words[0], words[1], words[2], words[3]);
    this.high = result[0] >>> 0;
    this.low = (result[1] | 1) >>> 0;
  }
}
