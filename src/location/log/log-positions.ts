// Addresses of a shard's log, in shared memory, for the shard and its helper thread.

/** Value of `checkpointed` without a checkpoint. */
export const NO_CHECKPOINT = 2 ** 53;

const HEAD = 0;
const TAIL = 1;
const CHECKPOINTED = 2;
const LAST = 3;
const LAST_SUM = 4;
const MARKS_BYTES = 64;

/** End of a log at one moment. */
export interface LogEnd {
  /** Address of the next frame. */
  readonly address: number;
  /** Address and checksum of the frame before. */
  readonly last: number;
  readonly lastSum: number;
}

/**
 * Plain stores suffice: each number has one writer, is eight aligned bytes, and is written between the atomic operations
 * that end every change of the table.
 */
export class LogPositions {
  readonly memory: SharedArrayBuffer;
  private readonly marks: Float64Array;

  constructor(memory = new SharedArrayBuffer(MARKS_BYTES)) {
    this.memory = memory;
    this.marks = new Float64Array(memory);
  }

  /** Address of the next frame: everything before has been applied to the table. Written by the shard. */
  get head(): number {
    return this.marks[HEAD];
  }

  set head(address: number) {
    this.marks[HEAD] = address;
  }

  /** Address of the frame that ends at `head`. Written by the shard, before `head`. */
  get last(): number {
    return this.marks[LAST];
  }

  set last(address: number) {
    this.marks[LAST] = address;
  }

  /** Checksum of the frame at `last`. Written by the shard, before `head`. */
  get lastSum(): number {
    return this.marks[LAST_SUM];
  }

  set lastSum(sum: number) {
    this.marks[LAST_SUM] = sum;
  }

  /** The oldest byte kept. Written by the shard. */
  get tail(): number {
    return this.marks[TAIL];
  }

  set tail(address: number) {
    this.marks[TAIL] = address;
  }

  /** The frame that the newest checkpoint ends with: nothing from there on may be dropped. Written by the helper, at the start by the shard. */
  get checkpointed(): number {
    return this.marks[CHECKPOINTED];
  }

  set checkpointed(address: number) {
    this.marks[CHECKPOINTED] = address;
  }

  /** Bytes since the newest checkpoint, or of the whole log without one. */
  get grown(): number {
    const { head, tail, checkpointed } = this;
    return head - (checkpointed === NO_CHECKPOINT ? tail : checkpointed);
  }

  /** Head and last frame of one moment, for threads other than the shard's. */
  end(): LogEnd {
    for (;;) {
      const address = this.head;
      const { last, lastSum } = this;
      if (this.head === address && (last < address || address === 0)) return { address, last, lastSum };
    }
  }
}
