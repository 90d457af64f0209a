// Checks whether LMDB can open a file: lmdb-js crashes on a file that LMDB refuses. The content of the file does not matter.

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
const PAGE_SIZES = [4096, 8192, 16_384, 32_768, 65_536];
const NO_PAGE = 0xffffffffffffffffn;

/**
 * Checks a data file before lmdb-js opens it, which crashes on a file that LMDB refuses, and on a root beyond the file's
 * end. A file that ends before its last page may be sound, since free pages are not written.
 */
export function checkFile(file: string): void {
  if (!existsSync(file)) return;
  const fd = openSync(file, 'r+');
  try {
    const { size } = fstatSync(fd);
    if (size === 0) return;
    const { pageSize, freeRoot, root } = metaOf(fd);
    const pages = Math.floor(size / pageSize);
    if (freeRoot >= pages || root >= pages) throw new Error('it is cut off');
  } finally {
    closeSync(fd);
  }
}

/** Meta page of the newest snapshot; the root of an empty tree is -1. */
export interface LmdbMeta {
  readonly pageSize: number;
  readonly freeRoot: number;
  readonly root: number;
}

/** Throws an Error with the reason if a file is not LMDB's. */
export function metaOf(fd: number): LmdbMeta {
  const first = readMeta(fd, 0);
  if (first === undefined) throw new Error('it is not an LMDB file of this version');
  const pageSize = first.readUInt32LE(META_PAGE_SIZE);
  if (!PAGE_SIZES.includes(pageSize)) throw new Error('its first page is damaged');
  const second = readMeta(fd, pageSize);
  if (fstatSync(fd).size < 2 * pageSize || second === undefined)
    throw new Error('it is cut off or its second page is damaged');
  const newest = second.readBigUInt64LE(META_TRANSACTION) > first.readBigUInt64LE(META_TRANSACTION) ? second : first;
  const rootAt = (at: number): number => {
    const root = newest.readBigUInt64LE(at);
    return root === NO_PAGE ? -1 : Number(root);
  };
  return { pageSize, freeRoot: rootAt(META_FREE_ROOT), root: rootAt(META_ROOT) };
}

function readMeta(fd: number, at: number): Buffer | undefined {
  const meta = Buffer.alloc(META_BYTES);
  if (readSync(fd, meta, 0, META_BYTES, at) < META_BYTES) return undefined;
  return meta.readUInt32LE(META_MAGIC) === MAGIC && meta.readUInt32LE(META_VERSION) === VERSION ? meta : undefined;
}
