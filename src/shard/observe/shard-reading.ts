// A shard's figures as other threads read them from shared memory.

/** What there is to know of a shard without asking it. */
export interface ShardReading {
  /** By COUNTER. */
  readonly counters: Float64Array;
  /** Rows of shard/observe/measures; the shared memory itself. */
  readonly measures: Float64Array;
  /** Bytes that wait in the rings it reads, and their capacity. */
  readonly ringBytes: number;
  readonly ringCapacity: number;
  /** Whether it serves: false from a death to the next life. */
  readonly open: boolean;
}
