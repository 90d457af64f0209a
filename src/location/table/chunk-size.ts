// Number of rows in a chunk of the table, as a power of two. A file of its own, so that a test may replace it by a smaller number.

export const CHUNK_SHIFT = 16;
