// The size of the key that an AOR is stored under.

/** Length of an AOR's key: a keyed 128-bit hash of its canonical form. */
export const AOR_KEY_BYTES = 16;
