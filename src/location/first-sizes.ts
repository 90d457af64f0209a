// Initial sizes of buffers that grow. A file of its own, so that a test may replace them by smaller numbers.

/** Bytes for the records of a batch: more than one of the largest. */
export const WRITES_AT_FIRST = 1 << 20;

/** Bytes of a frame of the log. */
export const FRAME_AT_FIRST = 1 << 17;

/** Pairs of a connection and an AOR, and ended connections in the queue of the sweeper: powers of two. */
export const FLOWS_AT_FIRST = 1024;

/** Entries of a frame: a batch has up to 512, and as many moves as the cleaner makes. */
export const FRAME_ENTRIES_AT_FIRST = 2048;
