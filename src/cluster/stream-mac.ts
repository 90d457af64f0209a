// Proves that a node with the cluster's secret wrote a message of a stream, for this shard: others may publish to its subject, also copies of another
// shard's messages.

import { createHmac, timingSafeEqual } from 'node:crypto';

export const MAC_BYTES = 16;

export class StreamMac {
  private readonly key: Uint8Array;
  private readonly scope: Uint8Array;

  /** @param key 16 bytes, derived from the cluster's secret for its streams @param shard number of the stream's shard */
  constructor(key: Uint8Array, shard: number) {
    this.key = key;
    this.scope = Uint8Array.of(shard, shard >>> 8);
  }

  /** Writes the code over bytes[0, length) after them. */
  seal(bytes: Uint8Array, length: number): void {
    bytes.set(this.code(bytes, length), length);
  }

  /** Whether the right code is after bytes[0, length). */
  isRight(bytes: Uint8Array, length: number): boolean {
    return timingSafeEqual(this.code(bytes, length), bytes.subarray(length, length + MAC_BYTES));
  }

  private code(bytes: Uint8Array, length: number): Uint8Array {
    const mac = createHmac('sha256', this.key).update(this.scope).update(bytes.subarray(0, length)).digest();
    return mac.subarray(0, MAC_BYTES);
  }
}
