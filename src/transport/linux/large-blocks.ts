// How the C library gives out large blocks. glibc takes one of 128 KB and more from the system at first: pages that nobody has touched
// take no memory, and those of a block that is given back are free at once. But each that is given back raises the bound, up to 32 MB.
// From then on large tables are cleared by hand, and what was given back stays: of 12 shards' threads that was a hundred megabytes.

import { createRequire } from 'node:module';

const M_MMAP_THRESHOLD = -3;
/** Longer than what refreshes of a batch write to its log, and than the pieces that V8 compiles in. */
const LARGE_BYTES = 64 << 10;

/** Keeps that bound where it is from here on, for the whole process; false where the C library has none. */
export function keepLargeBlocksApart(): boolean {
  try {
    const { load } = createRequire(import.meta.url)('koffi') as typeof import('koffi');
    return load(null).func('mallopt', 'int', ['int', 'int'])(M_MMAP_THRESHOLD, LARGE_BYTES) === 1;
  } catch {
    return false; // musl
  }
}
