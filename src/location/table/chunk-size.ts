// How many rows a chunk of the table has, as a power of two. A file of its own, so that a test may put a smaller number in its place.

export const CHUNK_SHIFT = 16;
