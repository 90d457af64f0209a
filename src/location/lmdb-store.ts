// The location store on disk: one LMDB environment per shard, one record per AOR, one transaction per batch.
// The only file that knows lmdb-js; what a record says is record's and the registrar's business.

import { closeSync, existsSync, fstatSync, fsyncSync, openSync, readSync } from 'node:fs';
import { dirname, join } from 'node:path';
import * as lmdb from 'lmdb';
import type { LocationReader } from './location-reader.ts';
import type { LocationStore, ScanReport } from './location-store.ts';
import { AOR_KEY_BYTES } from './location-store.ts';
import { openRecord } from './record.ts';
import type { WriteSet } from './write-set.ts';

/** `durable`: on disk before commit returns. `process`: handed to the kernel, so it survives the process, not the power. */
export type Durability = 'durable' | 'process';

/** Key of a record set aside: this byte, then the AOR's key. Longer than a key, so that a scan tells them apart. */
const QUARANTINE_PREFIX = 0x71;

interface ReadTransaction extends lmdb.Transaction {
  /** Of the native transaction. */
  readonly address: number;
}

type Database = lmdb.RootDatabase<Buffer, Uint8Array> & {
  getBinaryFast(key: Uint8Array, options: { readonly transaction: lmdb.Transaction }): Buffer | undefined;
};

/** Exported by lmdb-js, missing from its types. */
const native = (lmdb as unknown as { readonly nativeAddon: { resetTxn(address: number): void } }).nativeAddon;

export class LmdbStore implements LocationStore {
  quarantined = 0;
  private readonly directory: string;
  private readonly durability: Durability;
  private readonly db: Database;
  /**
   * The store's one read transaction. lmdb-js keeps its own fresh with a setTimeout per snapshot, which a thread that
   * never returns to the event loop would heap up for ever; this one is reset by hand and renews itself at the next read.
   */
  private readonly snapshot: ReadTransaction;
  private readonly reading: { readonly transaction: lmdb.Transaction };
  private readonly key = new Uint8Array(AOR_KEY_BYTES);
  private pending: WriteSet | undefined;
  private readonly apply = (): void => this.applyPending();

  /**
   * @param directory of the environment; made where it is missing
   * @throws Error naming the file, when the environment cannot be opened
   */
  constructor(directory: string, durability: Durability) {
    this.directory = directory;
    this.durability = durability;
    this.db = openEnvironment(directory, durability);
    this.snapshot = this.db.useReadTransaction() as ReadTransaction;
    this.reading = { transaction: this.snapshot };
    native.resetTxn(this.snapshot.address);
  }

  load(key: Uint8Array, into: Uint8Array): number {
    // A shared buffer whose length is faked: nothing but subarray and set may touch it, and only until the next read.
    const shared = this.db.getBinaryFast(key, this.reading);
    if (shared === undefined) return -1;
    const length = shared.length;
    if (!openRecord(shared, 0, length)) {
      this.quarantine([Uint8Array.from(key)]);
      return -1;
    }
    if (length <= into.length) into.set(shared.subarray(0, length));
    return length;
  }

  commit(writes: WriteSet): void {
    if (writes.count === 0) return;
    native.resetTxn(this.snapshot.address); // an open snapshot would keep the pages that this batch could reuse
    this.pending = writes;
    try {
      this.db.transactionSync(this.apply);
    } finally {
      this.pending = undefined;
    }
  }

  scan(visit: (key: Uint8Array, record: Uint8Array) => void): ScanReport {
    let records = 0;
    let entries = 0;
    const damaged: Uint8Array[] = [];
    try {
      for (const { key, value } of this.db.getRange(this.reading)) {
        entries++;
        if (key.length !== AOR_KEY_BYTES) continue;
        if (openRecord(value, 0, value.length)) {
          records++;
          visit(key, value);
        } else damaged.push(key);
      }
      const { entryCount } = this.db.getStats() as { readonly entryCount: number };
      if (entries !== entryCount) throw new Error(`only ${entries} of its ${entryCount} entries can be read`);
    } catch (error) {
      throw unusable(this.directory, error);
    } finally {
      this.db.resetReadTxn(); // getStats took a snapshot of its own
    }
    native.resetTxn(this.snapshot.address);
    if (damaged.length > 0) this.quarantine(damaged);
    return { records, quarantined: damaged.length };
  }

  close(): void {
    this.snapshot.done();
    void this.db.close();
    if (this.durability === 'process') sync(join(this.directory, 'data.mdb')); // an orderly end leaves nothing to chance
  }

  /** Runs inside the transaction. Returns nothing: a put's thenable, returned, would end the wait for the commit. */
  private applyPending(): void {
    const writes = this.pending;
    if (writes === undefined) return;
    const { key, db } = this;
    for (let i = 0; i < writes.count; i++) {
      const at = writes.at[i];
      const end = writes.end[i];
      if (at > end || end > writes.bytes.length) throw new RangeError('record out of bounds');
      for (let b = 0, k = i * AOR_KEY_BYTES; b < AOR_KEY_BYTES; b++, k++) key[b] = writes.keys[k];
      if (at === end) db.remove(key as Buffer);
      else db.put(key as Buffer, writes.bytes.subarray(at, end));
    }
  }

  /** Sets damaged records aside. Best effort: on a full disk they stay, and are met and counted again. */
  private quarantine(keys: readonly Uint8Array[]): void {
    this.quarantined += keys.length;
    try {
      native.resetTxn(this.snapshot.address);
      this.db.transactionSync(() => {
        for (const key of keys) {
          const record = this.db.getBinary(key as Buffer);
          if (record === undefined) continue;
          this.db.put(Buffer.from([QUARANTINE_PREFIX, ...key]), record);
          this.db.remove(key as Buffer);
        }
      });
    } catch {
      // counted above; the shard logs the count
    }
  }
}

/** Reads what another thread's LmdbStore commits, from the same environment. */
export class LmdbReader implements LocationReader {
  private readonly db: Database;
  private readonly snapshot: ReadTransaction;
  private readonly reading: { readonly transaction: lmdb.Transaction };

  /** @param directory of an environment that a store of this process has open, with the same durability */
  constructor(directory: string, durability: Durability) {
    this.db = openEnvironment(directory, durability);
    this.snapshot = this.db.useReadTransaction() as ReadTransaction;
    this.reading = { transaction: this.snapshot };
    native.resetTxn(this.snapshot.address);
  }

  read(key: Uint8Array, into: Uint8Array): number {
    const shared = this.db.getBinaryFast(key, this.reading);
    let length = -1;
    if (shared !== undefined && openRecord(shared, 0, shared.length)) {
      length = shared.length;
      if (length <= into.length) into.set(shared.subarray(0, length));
    }
    native.resetTxn(this.snapshot.address); // the next read sees what has been committed by then
    return length;
  }

  scan(after: Uint8Array, max: number, visit: (key: Uint8Array, record: Uint8Array) => void): Uint8Array | undefined {
    const start = after.length === 0 ? {} : { start: after as Buffer, exclusiveStart: true };
    let last: Uint8Array | undefined;
    let visited = 0;
    for (const { key, value } of this.db.getRange({ ...this.reading, ...start })) {
      if (visited === max) break;
      last = Uint8Array.from(key);
      if (key.length !== AOR_KEY_BYTES || !openRecord(value, 0, value.length)) continue;
      visited++;
      visit(key, value);
    }
    native.resetTxn(this.snapshot.address);
    return visited === max ? last : undefined;
  }

  close(): void {
    this.snapshot.done();
    void this.db.close();
  }
}

/**
 * Measured with 500-byte records, 100,000 AORs at random, load and commit, CPU us per record at batches of 1 / 16 / 64:
 * as here, durable 199 / 41 / 30 and process 44 / 15 / 13. noMemInit, noReadAhead, pageSize 8192 and a map sized in
 * advance change that by less than the noise. useWritemap makes process 14 / 5 / 4 (and durable half as slow again),
 * but then a full disk is a SIGBUS where it now is a commit that throws, so no.
 */
function openEnvironment(directory: string, durability: Durability): Database {
  try {
    checkFile(join(directory, 'data.mdb'));
    const db = lmdb.open<Buffer, Uint8Array>({
      path: directory,
      noSubdir: false,
      keyEncoding: 'binary',
      encoding: 'binary',
      compression: false,
      cache: false,
      maxDbs: 1,
      overlappingSync: false,
      noSync: durability === 'process',
      eventTurnBatching: false,
    } as lmdb.RootDatabaseOptions) as Database;
    if (durability === 'durable') {
      sync(directory);
      sync(dirname(directory));
    }
    return db;
  } catch (error) {
    throw unusable(directory, error);
  }
}

function unusable(directory: string, error: unknown): Error {
  const reason = error instanceof Error ? error.message : String(error);
  return new Error(
    `cannot use the location store ${join(directory, 'data.mdb')} (${reason}): ` +
      `restore ${directory} from a backup, or move it away to start with an empty one; phones then register anew`,
    { cause: error },
  );
}

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

/** A file's content, or a directory's names. */
function sync(path: string): void {
  if (process.platform === 'win32') return;
  const fd = openSync(path, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
