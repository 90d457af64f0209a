// Where parsing keeps what was wrong: the first error stays, so the order of the parser's steps is the order of precedence.

import { E_OK } from '../../src/sip/parser/parse-error.ts';
import { T_ERROR, T_ERROR_AT, T_ERROR_HEADER } from '../../src/sip/parser/span-table.ts';
import { table as theTable } from './memory.ts';

// Constants of this module: V8 compiles their addresses in, while it loads an import each time it is used.
const table = theTable;

/** Keeps the error E_* found at an offset in a header H_*, unless there was one before. */
export function fail(error: number, at: number, header: number): void {
  if (table[T_ERROR] !== E_OK) return;
  table[T_ERROR] = error;
  table[T_ERROR_AT] = at;
  table[T_ERROR_HEADER] = header;
}
