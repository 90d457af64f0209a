// Addresses of a shard's log that its helper thread and the shard tell each other, in shared memory.

/** What `checkpointed` is where there is no checkpoint. */
export const NO_CHECKPOINT = 2 ** 53;

const HEAD = 0;
const TAIL = 1;
const CHECKPOINTED = 2;
const LAST = 3;
const MARKS_BYTES = 64;

/**
 * Plain stores: each has one writer, is eight aligned bytes, and stands between the atomic operations that end every change
 * of the table.
 */
export class LogMarks {
  readonly memory: SharedArrayBuffer;
  private readonly marks: Float64Array;

  constructor(memory = new SharedArrayBuffer(MARKS_BYTES)) {
    this.memory = memory;
    this.marks = new Float64Array(memory);
  }

  /** Where the next frame goes: everything before has been applied to the table. Written by the shard. */
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

  /** The oldest byte kept. Written by the shard. */
  get tail(): number {
    return this.marks[TAIL];
  }

  set tail(address: number) {
    this.marks[TAIL] = address;
  }

  /** Where a replay from the checkpoint starts: nothing from there on may be dropped. Written by the helper, at the start by the shard. */
  get checkpointed(): number {
    return this.marks[CHECKPOINTED];
  }

  set checkpointed(address: number) {
    this.marks[CHECKPOINTED] = address;
  }
}
