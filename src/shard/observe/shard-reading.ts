// A shard's figures as other threads read them from shared memory.

/** The facts about a shard that are known without asking it. */
export interface ShardReading {
  /** By COUNTER. */
  readonly counters: Float64Array;
  /** Rows of shard/observe/measures; the shared memory itself. */
  readonly measures: Float64Array;
  /** Bytes waiting in the rings that it reads, and their capacity. */
  readonly ringBytes: number;
  readonly ringCapacity: number;
  /** Whether it serves: false from a death to the next life. */
  readonly open: boolean;
}
