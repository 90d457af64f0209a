// How many sub-tables the index has, as a power of two, and with how many slots each begins. A file of its own, so that a test may
// put smaller numbers in their place.

export const SUB_BITS = 10;
export const SLOTS_MIN = 256;
