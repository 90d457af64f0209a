// How large buffers that grow are at first. A file of its own, so that a test may put smaller numbers in their place.

/** Bytes for the records of a batch: more than one of the largest. */
export const WRITES_AT_FIRST = 1 << 20;

/** Bytes of a frame of the log. */
export const FRAME_AT_FIRST = 1 << 17;

/** Pairs of a connection and an AOR, and connections that have ended and wait for their turn: powers of two. */
export const FLOWS_AT_FIRST = 1024;

/** Entries of a frame: a batch has up to 512, and as many moves as the cleaner makes. */
export const FRAME_ENTRIES_AT_FIRST = 2048;
