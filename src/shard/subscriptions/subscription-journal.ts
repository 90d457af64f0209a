// Subscriptions of a shard on disk, so that they outlive the process: lines of JSON behind a checksum, appended as things happen. A new
// file is begun at each start and whenever the last one has grown; what lives is copied into it a bounded piece at a time, then the
// files before it are removed.

import { closeSync, fdatasyncSync, mkdirSync, openSync, readdirSync, readSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import type { SubscriptionRecord } from '../../core/subscriptions/subscription.ts';
import { nodeFiles } from '../../location/files/file-calls.ts';

const SUFFIX = '.subscriptions';
/** A file grows by about so much beyond twice what lives before the next one begins. */
const FILE_BYTES = 16 << 20;
/** Read at a time. */
const READ_BYTES = 1 << 20;
/** Subscriptions copied at a time. */
const COPIES_MAX = 64;
/** What a cut of power may take: the subscriptions of so long. */
const SYNC_MS = 1000;
const SUM_CHARS = 8;

/** Whom a subscription's requests are sent to: a row of Peers, addresses in hex. */
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
  /** Of the subscriptions that were copied into the file. */
  private copiedBytes = 0;
  /** Files whose subscriptions are being copied, and the next slot to copy. */
  private old: number[] = [];
  private cursor = 0;
  private isDirty = false;
  private syncedAt = 0;

  /**
   * @param directory made where it is missing
   * @param syncs whether subscriptions are to outlive a cut of power, but for those of the last second
   */
  constructor(directory: string, syncs: boolean, fileBytes = FILE_BYTES) {
    this.directory = directory;
    this.syncs = syncs;
    this.fileBytes = fileBytes;
  }

  /** Reads what there is and begins a new file. Once, before all else. Throws what the disk says. */
  open(): StoredSubscription[] {
    mkdirSync(this.directory, { recursive: true, mode: 0o700 });
    const found = new Map<number, StoredSubscription>();
    this.old = filesOf(this.directory);
    for (const number of this.old) readFile(this.path(number), found);
    this.number = this.old.at(-1) ?? 0;
    this.begin();
    return [...found.values()];
  }

  /** A subscription was made, or has changed. Throws what the disk says: then it does not hold. */
  put(subscription: StoredSubscription): void {
    this.append({ put: subscription });
    this.isDirty = true;
  }

  /** A NOTIFY leaves. */
  told(slot: number, version: number, cseq: number): void {
    this.append({ told: slot, version, cseq });
  }

  end(slot: number): void {
    this.append({ end: slot });
    this.isDirty = true;
  }

  /** Between batches. @param find the subscription of a slot, undefined where it has none @param slots how many slots there are */
  work(now: number, slots: number, find: (slot: number) => StoredSubscription | undefined): void {
    if (this.old.length === 0 && this.bytes > this.fileBytes + 2 * this.copiedBytes) {
      this.old = [this.number];
      closeSync(this.fd);
      this.begin();
    }
    if (this.old.length > 0) this.copySome(slots, find);
    if (this.syncs && this.isDirty && this.msToNext(now) === 0) this.sync(now);
  }

  /** Milliseconds until `work` has something to do, 0 when it has, -1 when there is nothing to wait for. */
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
    for (const number of this.old) rmSync(this.path(number), { force: true });
    this.old = [];
    this.copiedBytes = this.bytes;
  }

  private sync(now: number): void {
    this.isDirty = false;
    this.syncedAt = now;
    fdatasyncSync(this.fd);
  }

  private begin(): void {
    this.number++;
    this.fd = openSync(this.path(this.number), 'a', 0o600);
    if (this.syncs) nodeFiles.syncDirectory(this.directory);
    this.bytes = 0;
    this.cursor = 0;
  }

  private path(number: number): string {
    return join(this.directory, `${number}${SUFFIX}`);
  }

  private append(line: Line): void {
    const text = JSON.stringify(line);
    const bytes = Buffer.from(`\n${sumOf(text)} ${text}`); // behind a line that a full disk has cut short, too
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

/** A line that a crash has cut short, or that is damaged, is passed over: its subscriber subscribes anew when a refresh draws 481. */
function readFile(path: string, found: Map<number, StoredSubscription>): void {
  for (const line of linesOf(path)) {
    const text = line.slice(SUM_CHARS + 1);
    if (text !== '' && sumOf(text) === line.slice(0, SUM_CHARS)) apply(JSON.parse(text) as Line, found);
  }
}

/** A piece at a time: a million subscriptions are more than a string can hold. */
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
