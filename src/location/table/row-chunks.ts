// The memory of rows: chunks of shared memory, added one at a time and never moved. binding-row has the layout of a
// row. @hot

import { ROW_WORDS } from './binding-row.ts';
import { CHUNK_SHIFT } from './chunk-size.ts';

export const CHUNK_ROWS = 1 << CHUNK_SHIFT;
const WORDS_SHIFT = 4; // of ROW_WORDS

/** One array per chunk, in order. */
export type RowChunks = Uint32Array[];

export function chunkOf(rows: RowChunks, row: number): Uint32Array {
  return rows[row >>> CHUNK_SHIFT];
}

/** Index of a row's first word in its chunk. */
export function wordOf(row: number): number {
  return (row & (CHUNK_ROWS - 1)) << WORDS_SHIFT;
}

export function createChunk(): Uint32Array {
  return new Uint32Array(new SharedArrayBuffer(CHUNK_ROWS * ROW_WORDS * 4));
}
