// One thread's account of incomplete messages: their bytes in all, and the order in which they began. Above the limit the
// oldest is cut off, so that its sender loses to one that has just begun.
// @hot

/** Bytes of the objects for it, beside its content. */
const HALF_BYTES = 512;

/** One message in progress, or its connection. */
export interface Half {
  /** Bytes counted for it; only HalfMessages writes it. */
  halfBytes: number;
}

export class HalfMessages<T extends Half> {
  /** Bytes of all half messages. */
  bytes = 0;
  private readonly bytesMax: number;
  private readonly cut: (half: T) => void;
  private readonly oldestFirst = new Set<T>();

  /** @param bytesMax of all together @param cut closes a connection in the middle of its message */
  constructor(bytesMax: number, cut: (half: T) => void) {
    this.bytesMax = bytesMax;
    this.cut = cut;
  }

  /** So many bytes of the message in progress are kept. @param anew whether it has begun since the last call */
  keeps(half: T, bytes: number, anew: boolean): void {
    if (anew && half.halfBytes > 0) this.ended(half);
    if (half.halfBytes === 0) this.oldestFirst.add(half);
    const counted = bytes + HALF_BYTES;
    this.bytes += counted - half.halfBytes;
    half.halfBytes = counted;
  }

  /** The half has no message in progress any more. */
  ended(half: T): void {
    if (half.halfBytes === 0) return;
    this.bytes -= half.halfBytes;
    half.halfBytes = 0;
    this.oldestFirst.delete(half);
  }

  /** Cuts the oldest until the rest is within the limit. */
  trim(): void {
    while (this.bytes > this.bytesMax) {
      const [oldest] = this.oldestFirst;
      this.ended(oldest);
      this.cut(oldest);
    }
  }
}
