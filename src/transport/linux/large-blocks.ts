// How the C library allocates large blocks. glibc takes one of 128 KB and more from the system at first: its untouched pages take no
// memory, and those of a freed block are free at once. But each freed block raises that bound, up to 32 MB. From then on large tables
// are cleared by hand, and freed memory stays: of 12 shards' threads that was a hundred megabytes.

import { createRequire } from 'node:module';

const M_MMAP_THRESHOLD = -3;
/** Longer than a batch's refreshes in its log, and than the pieces that V8 compiles in. */
const LARGE_BYTES = 64 << 10;

/** Fixes the bound at LARGE_BYTES from here on, for the whole process; false where the C library has none. */
export function keepLargeBlocksApart(): boolean {
  try {
    const { load } = createRequire(import.meta.url)('koffi') as typeof import('koffi');
    return load(null).func('mallopt', 'int', ['int', 'int'])(M_MMAP_THRESHOLD, LARGE_BYTES) === 1;
  } catch {
    return false; // musl
  }
}
