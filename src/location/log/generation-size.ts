// How long a generation of the log may be: known without LMDB, so that reading a configuration loads none.

/** What the addresses of a generation span, for ever; and what its file may have, unless an operator wants it smaller. */
export const GENERATION_BYTES = 2 ** 26;
