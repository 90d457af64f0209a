// A generation that is written: an LMDB environment, a value per frame under its address (decisions/0100). LMDB maps no file but this one, which it
// has made itself in this life; older files are read as bytes (generation-file.ts).

import { closeSync, fdatasyncSync, openSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { getSystemErrorName } from 'node:util';
import * as lmdb from 'lmdb';
import { diskSpace } from '../../files/disk-space.ts';
import { demandDescriptors, makeLock } from '../../files/lmdb-guard.ts';
import type { Durability } from '../log.ts';
import {
  GenerationFile,
  KEY_BYTES,
  LASTING_KEY_BYTES,
  PAGE_BYTES,
  PAGE_HEADER_BYTES,
  VALUE_BYTES_MIN,
} from './generation-file.ts';

/** Pages that a transaction may need besides its value: leaf, branch, free list, and splits. */
const TREE_PAGES = 8;
/** Zeroed bytes ahead of the last page: a write into existing blocks syncs twice as fast. */
const ZEROED_BYTES = 1 << 20;
/** With less free space nothing is zeroed ahead: the last blocks are left to a neighbour that makes its file. */
const AHEAD_ROOM_BYTES = 16 << 20;
const ZEROS = new Uint8Array(1 << 16);
/** Flags of the package's transactionSync: abortable and synchronous, as by default; and LMDB's own MDB_NOSYNC. */
const SYNCED = 3;
const UNSYNCED = SYNCED | 0x10000;

type Environment = lmdb.RootDatabase<Uint8Array, Uint8Array> & {
  readonly env: { info(): { readonly lastPageNumber: number } };
};

export class LmdbGeneration {
  readonly number: number;
  readonly file: GenerationFile;
  private readonly path: string;
  private readonly bytesMax: number;
  private readonly environment: Environment;
  /** For zeros; LMDB has descriptors of its own. */
  private readonly fd: number;
  private readonly key = Buffer.alloc(KEY_BYTES);
  private readonly lastingKey = this.key.subarray(0, LASTING_KEY_BYTES);
  /** End of the file with its zeros, and the latest end of its pages. */
  private zeroed = 0;
  private pagesMax = 0;
  /** Probable place of the next value. */
  private next = 2;

  /**
   * Makes the file, which must not exist yet.
   * @param bytesMax size limit of the file
   * @param head the value that names its log
   */
  constructor(path: string, number: number, bytesMax: number, durability: Durability, head: Uint8Array) {
    this.number = number;
    this.path = path;
    this.bytesMax = bytesMax;
    this.fd = openSync(path, 'wx+', 0o600);
    try {
      makeLock(`${path}-lock`);
      demandDescriptors(path);
      this.environment = openEnvironment(path, bytesMax, durability);
      this.file = new GenerationFile(path);
    } catch (error) {
      closeSync(this.fd);
      removeFiles(path);
      throw error;
    }
    try {
      this.extend(head.length);
      this.put(Uint8Array.of(0), head, UNSYNCED);
    } catch (error) {
      this.discard();
      throw error;
    }
  }

  /** Bytes on disk. */
  get bytes(): number {
    return Math.max(this.zeroed, this.pagesMax * PAGE_BYTES);
  }

  /** Whether a frame of `length` bytes fits. */
  fits(length: number): boolean {
    const pages = pagesOf(length) + TREE_PAGES;
    const pagesIn = this.bytesMax / PAGE_BYTES;
    if (this.pagesMax + pages > pagesIn) this.pagesMax = this.lastPage() + 1;
    return this.pagesMax + pages <= pagesIn;
  }

  /**
   * Commits a frame, at least VALUE_BYTES_MIN of its buffer, and returns its offset in the file. Throws if the commit is not certain; the
   * environment must not be used after that.
   * @param lasting false: the next commit's sync is soon enough
   */
  commit(bytes: Uint8Array, length: number, address: number, lasting: boolean): number {
    let size = length;
    if (length < VALUE_BYTES_MIN) {
      size = VALUE_BYTES_MIN;
      bytes.fill(0, length, size);
    }
    this.extend(size);
    this.key.writeUInt32BE(Math.floor(address / 4294967296), 0);
    this.key.writeUInt32BE(address % 4294967296, 4);
    this.put(lasting ? this.lastingKey : this.key, bytes.subarray(0, size), lasting ? SYNCED : UNSYNCED);
    const page = this.file.pageOf(bytes, this.next);
    this.next = page + pagesOf(size);
    return page * PAGE_BYTES + PAGE_HEADER_BYTES;
  }

  sync(): void {
    fdatasyncSync(this.fd);
  }

  /** Syncs the unsynced frames and the last meta page, and closes it for writes. */
  finish(): void {
    try {
      this.sync();
    } finally {
      this.abandon();
    }
  }

  /** Closes the environment for writes; `file` stays open. */
  abandon(): void {
    void this.environment.close(); // at once: it has no transaction of its own
    closeSync(this.fd);
    rmSync(`${this.path}-lock`, { force: true });
  }

  /** Undoes the creation. */
  discard(): void {
    this.abandon();
    this.file.close();
    removeFiles(this.path);
  }

  private put(key: Uint8Array, value: Uint8Array, flags: number): void {
    try {
      this.environment.transactionSync(() => this.environment.putSync(key, value), flags);
    } catch (error) {
      throw named(error);
    }
  }

  private lastPage(): number {
    return this.environment.env.info().lastPageNumber;
  }

  /**
   * Zeros ahead where there is space, never over pages in use. Throws if the pages of this commit have none. The package must not
   * meet a full disk: its message for that overflows its own buffer, and the process ends.
   */
  private extend(length: number): void {
    const pages = pagesOf(length) + TREE_PAGES;
    this.pagesMax += pages;
    if (this.pagesMax * PAGE_BYTES <= this.zeroed) return;
    const taken = this.lastPage() + 1;
    this.pagesMax = taken + pages;
    const ahead = diskSpace(dirname(this.path)).free < AHEAD_ROOM_BYTES ? 0 : ZEROED_BYTES;
    const to = Math.min(this.pagesMax * PAGE_BYTES + ahead, this.bytesMax);
    let at = Math.max(this.zeroed, taken * PAGE_BYTES);
    try {
      while (at < to) at += writeSync(this.fd, ZEROS, 0, Math.min(ZEROS.length, to - at), at);
    } catch (error) {
      if (at < Math.min(this.pagesMax * PAGE_BYTES, this.bytesMax)) throw error;
    } finally {
      this.zeroed = at;
    }
  }
}

/** Pages of a value that has its own. */
function pagesOf(length: number): number {
  return Math.ceil((PAGE_HEADER_BYTES + Math.max(length, VALUE_BYTES_MIN)) / PAGE_BYTES);
}

function openEnvironment(path: string, bytesMax: number, durability: Durability): Environment {
  return lmdb.open<Uint8Array, Uint8Array>({
    path,
    noSubdir: true,
    keyEncoding: 'binary',
    encoding: 'binary',
    compression: false,
    cache: false,
    maxDbs: 1,
    pageSize: PAGE_BYTES,
    mapSize: bytesMax,
    overlappingSync: false,
    noSync: durability === 'process',
    noMetaSync: true,
    noReadAhead: true,
    eventTurnBatching: false,
    permissionsMode: 0o600,
  } as lmdb.RootDatabaseOptions) as unknown as Environment;
}

function removeFiles(path: string): void {
  rmSync(path, { force: true });
  rmSync(`${path}-lock`, { force: true });
}

/** LMDB's errors have a number; those of the system get its name, as everywhere else. */
function named(error: unknown): unknown {
  const { code } = error as { code?: unknown };
  if (typeof code !== 'number' || code <= 0) return error;
  return Object.assign(error as Error, { code: getSystemErrorName(-code) });
}
