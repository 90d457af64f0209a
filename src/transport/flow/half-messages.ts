// What one thread keeps of messages that are not whole yet: how many bytes in all, and which began first. With more than it may
// keep the oldest is ended, so that its sender loses to one that has just begun.
// @hot

/** Besides its bytes: the objects that stand for it. */
const HALF_BYTES = 512;

/** One message under way, or the connection that has it. */
export interface Half {
  /** Written by HalfMessages alone: bytes counted for it. */
  halfBytes: number;
}

export class HalfMessages<T extends Half> {
  /** Bytes of all. */
  bytes = 0;
  private readonly bytesMax: number;
  private readonly cut: (half: T) => void;
  private readonly oldestFirst = new Set<T>();

  /** @param bytesMax of all together @param cut ends a connection in the middle of its message */
  constructor(bytesMax: number, cut: (half: T) => void) {
    this.bytesMax = bytesMax;
    this.cut = cut;
  }

  /** So many bytes are kept of a message under way. @param anew whether it has begun since the last call */
  keeps(half: T, bytes: number, anew: boolean): void {
    if (anew && half.halfBytes > 0) this.ended(half);
    if (half.halfBytes === 0) this.oldestFirst.add(half);
    const counted = bytes + HALF_BYTES;
    this.bytes += counted - half.halfBytes;
    half.halfBytes = counted;
  }

  /** Nothing is under way there any more. */
  ended(half: T): void {
    if (half.halfBytes === 0) return;
    this.bytes -= half.halfBytes;
    half.halfBytes = 0;
    this.oldestFirst.delete(half);
  }

  /** Cuts the oldest until the rest is no more than may be kept. */
  trim(): void {
    while (this.bytes > this.bytesMax) {
      const [oldest] = this.oldestFirst;
      this.ended(oldest);
      this.cut(oldest);
    }
  }
}
