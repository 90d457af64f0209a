// Size limit of a generation of the log: without LMDB, so that reading a configuration does not load it.

/** Span of a generation's addresses, for ever; and the limit of its file, unless an operator sets a smaller one. */
export const GENERATION_BYTES = 2 ** 26;
