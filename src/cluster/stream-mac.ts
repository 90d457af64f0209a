// Proves that a message of a stream was written by a node that has the cluster's secret: whoever else may publish to its subject, and to
// the log of one shard no message of another's.

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

  /** Writes the code over bytes[0, length) behind them. */
  seal(bytes: Uint8Array, length: number): void {
    bytes.set(this.code(bytes, length), length);
  }

  /** Whether it stands behind bytes[0, length). */
  isRight(bytes: Uint8Array, length: number): boolean {
    return timingSafeEqual(this.code(bytes, length), bytes.subarray(length, length + MAC_BYTES));
  }

  private code(bytes: Uint8Array, length: number): Uint8Array {
    const mac = createHmac('sha256', this.key).update(this.scope).update(bytes.subarray(0, length)).digest();
    return mac.subarray(0, MAC_BYTES);
  }
}
