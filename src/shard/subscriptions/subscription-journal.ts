// Subscriptions of a shard on disk, so that they outlive the process: lines of JSON behind a checksum, appended at each event. A new
// file is begun at each start and when the last one has grown; live subscriptions are copied into it a bounded piece at a time, then the
// earlier files are removed.

import { closeSync, fdatasyncSync, mkdirSync, openSync, readdirSync, readSync, rmSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { crc32 } from 'node:zlib';
import type { SubscriptionRecord } from '../../core/subscriptions/subscription.ts';
import { nodeFiles } from '../../location/files/file-calls.ts';
import { syncPath } from '../../location/files/sync-path.ts';

const SUFFIX = '.subscriptions';
/** The next file begins when this one exceeds twice the live bytes by this much. */
const FILE_BYTES = 16 << 20;
/** Read at a time. */
const READ_BYTES = 1 << 20;
/** Subscriptions copied at a time. */
const COPIES_MAX = 64;
/** Maximum age of subscriptions that a loss of power may lose. */
const SYNC_MS = 1000;
const SUM_CHARS = 8;

/** Destination of a subscription's requests: a row of Peers, addresses in hex. */
export interface StoredPeer {
  readonly family: number;
  readonly ip: string;
  readonly port: number;
  readonly transport: number;
  readonly listener: number;
  readonly flow: number;
  readonly node: number;
  readonly answeredByMain: number;
  readonly local: string;
}

export interface StoredSubscription extends SubscriptionRecord {
  readonly slot: number;
  /** Of the AOR: key and canonical name. */
  readonly key: readonly number[];
  readonly aor: string;
  readonly peer: StoredPeer;
}

type Line =
  | { readonly put: StoredSubscription }
  | { readonly told: number; readonly version: number; readonly cseq: number }
  | { readonly end: number };

export class SubscriptionJournal {
  private readonly directory: string;
  private readonly fileBytes: number;
  private readonly syncs: boolean;
  private fd = -1;
  private number = 0;
  private bytes = 0;
  /** Bytes of the subscriptions copied into the file. */
  private copiedBytes = 0;
  /** Files whose subscriptions are being copied, and the next slot to copy. */
  private old: number[] = [];
  private cursor = 0;
  private isDirty = false;
  private syncedAt = 0;

  /**
   * @param directory made if missing
   * @param syncs whether subscriptions outlive a loss of power, except those of the last second
   */
  constructor(directory: string, syncs: boolean, fileBytes = FILE_BYTES) {
    this.directory = directory;
    this.syncs = syncs;
    this.fileBytes = fileBytes;
  }

  /** Begins a new file and reads all subscriptions, before all else. Throws the disk's error; then it may be tried again. */
  open(): StoredSubscription[] {
    mkdirSync(this.directory, { recursive: true, mode: 0o700 });
    if (this.syncs) nodeFiles.syncDirectory(dirname(this.directory));
    const found = new Map<number, StoredSubscription>();
    const files = filesOf(this.directory);
    this.number = files.at(-1) ?? 0;
    this.begin(); // first: a disk that takes no file has nothing read from it, again and again
    try {
      for (const number of files) {
        if (this.syncs) syncPath(this.path(number)); // a killed process has synced less than is found
        readFile(this.path(number), found);
      }
    } catch (error) {
      closeSync(this.fd);
      this.fd = -1;
      rmSync(this.path(this.number), { force: true });
      throw error;
    }
    this.old = files;
    return [...found.values()];
  }

  /** Writes a new or changed subscription. Throws the disk's error; then it is not kept. */
  put(subscription: StoredSubscription): void {
    this.append({ put: subscription });
    this.isDirty = true;
  }

  /** Writes that a NOTIFY is sent. */
  told(slot: number, version: number, cseq: number): void {
    this.append({ told: slot, version, cseq });
  }

  end(slot: number): void {
    this.append({ end: slot });
    this.isDirty = true;
  }

  /** Between batches. @param find the subscription of a slot, undefined where it has none @param slots number of slots */
  work(now: number, slots: number, find: (slot: number) => StoredSubscription | undefined): void {
    if (this.old.length === 0 && this.bytes > this.fileBytes + 2 * this.copiedBytes) {
      if (this.syncs && this.isDirty) this.sync(now);
      this.begin();
    }
    if (this.old.length > 0) this.copySome(slots, find);
    if (this.syncs && this.isDirty && this.msToNext(now) === 0) this.sync(now);
  }

  /** Milliseconds until `work` is due, 0 when it is, -1 when there is nothing to wait for. */
  msToNext(now: number): number {
    if (this.old.length > 0) return 0;
    if (!this.syncs || !this.isDirty) return -1;
    const left = this.syncedAt + SYNC_MS - now;
    return left > 0 && left <= SYNC_MS ? left : 0;
  }

  close(): void {
    if (this.fd < 0) return;
    if (this.syncs && this.isDirty) fdatasyncSync(this.fd);
    closeSync(this.fd);
    this.fd = -1;
  }

  private copySome(slots: number, find: (slot: number) => StoredSubscription | undefined): void {
    for (let copies = 0; this.cursor < slots && copies < COPIES_MAX; this.cursor++) {
      const subscription = find(this.cursor);
      if (subscription === undefined) continue;
      this.put(subscription);
      copies++;
    }
    if (this.cursor < slots) return;
    if (this.syncs) fdatasyncSync(this.fd);
    for (const number of this.old) {
      rmSync(this.path(number), { force: true });
      if (this.syncs) nodeFiles.syncDirectory(this.directory); // none outlives a newer one, which may have its ends
    }
    this.old = [];
    this.copiedBytes = this.bytes;
  }

  private sync(now: number): void {
    this.isDirty = false;
    this.syncedAt = now;
    fdatasyncSync(this.fd);
  }

  /** Where no file can be made, the one before stays in use. */
  private begin(): void {
    const fd = openSync(this.path(this.number + 1), 'a', 0o600);
    try {
      if (this.syncs) nodeFiles.syncDirectory(this.directory);
    } catch (error) {
      closeSync(fd);
      throw error;
    }
    if (this.fd >= 0) {
      closeSync(this.fd);
      this.old = [this.number];
    }
    this.fd = fd;
    this.number++;
    this.bytes = 0;
    this.cursor = 0;
  }

  private path(number: number): string {
    return join(this.directory, `${number}${SUFFIX}`);
  }

  private append(line: Line): void {
    const text = JSON.stringify(line);
    const bytes = Buffer.from(`\n${sumOf(text)} ${text}\n`); // the first break ends a line cut short by a full disk
    for (let done = 0; done < bytes.length; ) done += writeSync(this.fd, bytes, done);
    this.bytes += bytes.length;
  }
}

function filesOf(directory: string): number[] {
  return readdirSync(directory)
    .filter((name) => name.endsWith(SUFFIX) && /^[0-9]{1,15}$/.test(name.slice(0, -SUFFIX.length)))
    .map((name) => Number(name.slice(0, -SUFFIX.length)))
    .sort((one, other) => one - other);
}

/** Skips lines that a crash has cut short, or that are damaged: the subscriber subscribes anew after a 481 to its refresh. */
function readFile(path: string, found: Map<number, StoredSubscription>): void {
  for (const line of linesOf(path)) {
    const text = line.slice(SUM_CHARS + 1);
    if (text !== '' && sumOf(text) === line.slice(0, SUM_CHARS)) apply(JSON.parse(text) as Line, found);
  }
}

/** Lines, a piece at a time: a million subscriptions exceed the length of a string. */
function* linesOf(path: string): Generator<string> {
  const fd = openSync(path, 'r');
  try {
    let rest = Buffer.alloc(0);
    for (;;) {
      const piece = Buffer.allocUnsafe(READ_BYTES);
      const length = readSync(fd, piece);
      const bytes = Buffer.concat([rest, piece.subarray(0, length)]);
      const end = length === 0 ? bytes.length : bytes.lastIndexOf(0x0a) + 1;
      yield* bytes.toString('utf8', 0, end).split('\n');
      if (length === 0) return;
      rest = bytes.subarray(end);
    }
  } finally {
    closeSync(fd);
  }
}

function apply(line: Line, found: Map<number, StoredSubscription>): void {
  if ('put' in line) found.set(line.put.slot, line.put);
  else if ('end' in line) found.delete(line.end);
  else {
    const { told, version, cseq } = line;
    const before = found.get(told);
    if (before !== undefined) found.set(told, { ...before, version, cseq });
  }
}

function sumOf(text: string): string {
  return crc32(text).toString(16).padStart(SUM_CHARS, '0');
}
