// Proves that a node with the cluster's secret wrote a beat: beats also come over NATS, where others may publish. A beat that is published again is
// late by its number, and ignored.

import { createHmac, timingSafeEqual } from 'node:crypto';
import { type Beat, decodeBeat, encodeBeat } from './beat.ts';

const CODE_BYTES = 16;

export class BeatSeal {
  private readonly key: Uint8Array;

  /** @param key derived from the cluster's secret for beats alone */
  constructor(key: Uint8Array) {
    this.key = key;
  }

  seal(beat: Beat): Uint8Array {
    const bytes = encodeBeat(beat);
    const sealed = new Uint8Array(bytes.length + CODE_BYTES);
    sealed.set(bytes);
    sealed.set(this.code(bytes), bytes.length);
    return sealed;
  }

  /** Null: the bytes are no beat of a node of this cluster. */
  open(sealed: Uint8Array): Beat | null {
    const end = sealed.length - CODE_BYTES;
    if (end < 0 || !timingSafeEqual(sealed.subarray(end), this.code(sealed.subarray(0, end)))) return null;
    return decodeBeat(sealed.subarray(0, end));
  }

  private code(bytes: Uint8Array): Uint8Array {
    return createHmac('sha256', this.key).update(bytes).digest().subarray(0, CODE_BYTES);
  }
}
