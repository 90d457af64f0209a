// The parser: one message in the slab to the span table (RFC 3261 §7, §20, §25). The WebAssembly module built from simd/ does the
// work, over the same memory; it never reads outside the message's slot, and continues after an error
// as far as an answer needs.

import { core } from './core.ts';

/**
 * Parses slab[at, end), one datagram, into `table`. Folded header lines are unfolded in place. Returns the first error by
 * the order of the parser's steps, E_OK for none; also in T_ERROR, with T_ERROR_AT and T_ERROR_HEADER.
 */
export const parse = core.parse;

/** The first steps of `parse` alone: start line and header rows. For measurements. */
export const indexOnly = core.indexOnly;

/** Parses the URI at [at, end) of the memory into the record at URI_RECORD; returns E_OK or an error. Writes a NUL at `end` meanwhile. */
export const parseUriAt = core.parseUriAt;
