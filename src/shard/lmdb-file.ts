// Whether a file may be given to LMDB: lmdb-js crashes on one that LMDB refuses. What is in it is nobody's business here.

import { closeSync, existsSync, fstatSync, openSync, readSync } from 'node:fs';

// LMDB's meta page: offsets in bytes.
const META_MAGIC = 24;
const META_VERSION = 28;
const META_PAGE_SIZE = 48;
const META_FREE_ROOT = 88;
const META_ROOT = 136;
const META_TRANSACTION = 152;
const META_BYTES = 160;
const MAGIC = 0xbeefc0de;
const VERSION = 2;
const NO_PAGE = 0xffffffffffffffffn;

/**
 * Looks at a data file before lmdb-js does, which crashes on one that LMDB refuses, and on a root beyond the file's end.
 * A file that ends before its last page may be sound (free pages are not written), so that alone is no reason.
 */
export function checkFile(file: string): void {
  if (!existsSync(file)) return;
  const fd = openSync(file, 'r+');
  try {
    const { size } = fstatSync(fd);
    if (size === 0) return;
    const first = readMeta(fd, 0);
    if (first === undefined) throw new Error('it is not an LMDB file of this version');
    const pageSize = first.readUInt32LE(META_PAGE_SIZE);
    const second = readMeta(fd, pageSize);
    if (size < 2 * pageSize || second === undefined) throw new Error('it is cut off or its second page is damaged');
    const newest = second.readBigUInt64LE(META_TRANSACTION) > first.readBigUInt64LE(META_TRANSACTION) ? second : first;
    const pages = BigInt(Math.floor(size / pageSize));
    for (const at of [META_FREE_ROOT, META_ROOT]) {
      const root = newest.readBigUInt64LE(at);
      if (root !== NO_PAGE && root >= pages) throw new Error('it is cut off');
    }
  } finally {
    closeSync(fd);
  }
}

function readMeta(fd: number, at: number): Buffer | undefined {
  const meta = Buffer.alloc(META_BYTES);
  if (readSync(fd, meta, 0, META_BYTES, at) < META_BYTES) return undefined;
  return meta.readUInt32LE(META_MAGIC) === MAGIC && meta.readUInt32LE(META_VERSION) === VERSION ? meta : undefined;
}
