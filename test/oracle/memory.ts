// The oracle's own memory: a slab and a span table of the sizes and offsets of the parser's, apart from them.

import { memory } from '../../src/sip/parser/slab.ts';
import { TABLE_INTS } from '../../src/sip/parser/span-table.ts';

export const slab = new Uint8Array(memory.buffer.byteLength);

export const table = new Int32Array(TABLE_INTS);
