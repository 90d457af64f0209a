// Number of sub-tables of the index, as a power of two, and their initial number of slots. A file of its own, so that a test may replace them by
// smaller numbers.

export const SUB_BITS = 10;
export const SLOTS_MIN = 256;
