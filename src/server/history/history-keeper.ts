// Past changes of bindings: reads the shards' rings some times a second, and keeps the entries on disk where it has space. Answers queries by
// AOR and by time.

import { join } from 'node:path';
import {
  aorAt,
  changeAt,
  entriesIn,
  HistoryCursor,
  isOfKey,
  keyAt,
  type PastChange,
  timeAt,
  withContacts,
} from '../../shard/observe/history-reader.ts';
import { shardOf } from '../../shard/shard-of.ts';
import type { Log } from '../process/log.ts';
import { HistoryFolder, type PlacesRead, type While } from './history-folder.ts';

const FOLDER = 'history';
/** A ring of 4 MiB is full after twice this time at 100,000 new bindings a second. */
const LOOK_MS = 100;
/** Pause after an error of the disk. */
const RETRY_MS = 60_000;

/** A change and the AOR of its binding; null where the AOR is not known any more. */
export interface AorChange extends PastChange {
  readonly aor: string | null;
}

export class HistoryKeeper {
  private readonly rings: readonly SharedArrayBuffer[];
  private readonly cursors: readonly HistoryCursor[];
  private readonly folder: HistoryFolder | undefined;
  private readonly log: Log;
  private readonly timer: NodeJS.Timeout | undefined;
  private keeping: Promise<void> = Promise.resolve();
  private isBusy = false;
  private retryAt = 0;
  /** Bytes of entries that the shards overwrote before they were kept, or that the disk refused. */
  lostBytes = 0;

  private constructor(rings: readonly SharedArrayBuffer[], folder: HistoryFolder | undefined, log: Log) {
    this.rings = rings;
    this.folder = folder;
    this.log = log;
    this.cursors = rings.map((ring) => new HistoryCursor(ring));
    if (folder === undefined || rings.length === 0) return;
    const look = () => {
      if (!this.isBusy) void this.keep();
    };
    this.timer = setInterval(look, LOOK_MS).unref();
  }

  /**
   * @param rings of the shards; none: no history is kept
   * @param data directory
   * @param keepBytes on disk at most; 0: none there
   */
  static async open(
    rings: readonly SharedArrayBuffer[],
    data: string,
    keepBytes: number,
    log: Log,
  ): Promise<HistoryKeeper> {
    if (keepBytes === 0 || rings.length === 0) return new HistoryKeeper(rings, undefined, log);
    try {
      return new HistoryKeeper(rings, await HistoryFolder.open(join(data, FOLDER), keepBytes), log);
    } catch (error) {
      log('error', 'the history on disk cannot be opened: changes are kept in memory only', { error: String(error) });
      return new HistoryKeeper(rings, undefined, log);
    }
  }

  /** The newest changes of the AOR of a key, newest first. */
  async ofAor(key: Uint32Array, { since, until }: While, max: number): Promise<PastChange[]> {
    const found: PastChange[] = [];
    for await (const entry of this.entriesOf(key)) {
      const change = changeAt(entry, 0);
      if (change.at > until) continue; // else later changes would take the places of those in the period
      found.push(change);
      if (found.length > max) break; // one more: it may have the contact of the one after it
    }
    const changes = withContacts(found.reverse()).reverse();
    return changes.slice(0, max).filter(({ at }) => at >= since);
  }

  /** The newest changes of all AORs within a period, newest first. */
  async within(when: While, max: number): Promise<AorChange[]> {
    await this.keep();
    const found: AorChange[] = [];
    const read: PlacesRead = new Map();
    for await (const entry of this.folder?.within(when) ?? this.inMemory(when)) {
      const aor = aorAt(entry, 0) || (await this.nameOf(keyAt(entry, 0), read));
      found.push({ aor, ...changeAt(entry, 0) });
      if (found.length === max) break;
    }
    return found;
  }

  private async *entriesOf(key: Uint32Array): AsyncGenerator<Buffer> {
    const { folder, rings } = this;
    if (folder !== undefined) {
      await this.keep();
      yield* folder.ofKey(key);
    } else if (rings.length > 0) {
      const entries = entriesOfRing(rings[shardOf(key[3], rings.length)]);
      yield* entries.filter((entry) => isOfKey(entry, 0, key)).reverse();
    }
  }

  /** Entries without a disk: those that the rings still have. */
  private inMemory({ since, until }: While): Buffer[] {
    const entries = this.rings.flatMap(entriesOfRing);
    const found = entries.filter((entry) => timeAt(entry, 0) >= since && timeAt(entry, 0) <= until);
    return found.sort((a, b) => timeAt(b, 0) - timeAt(a, 0));
  }

  /** The AOR, from an earlier change of it. */
  private async nameOf(key: Uint32Array, read: PlacesRead): Promise<string | null> {
    for await (const entry of this.folder?.ofKey(key, read) ?? this.entriesOf(key)) {
      const aor = aorAt(entry, 0);
      if (aor !== '') return aor;
    }
    return null;
  }

  async close(): Promise<void> {
    clearInterval(this.timer);
    await this.keep();
    await this.folder?.close().catch(() => {}); // the next start makes the index
  }

  /** Resolves when all entries until now are on disk, or lost. */
  private keep(): Promise<void> {
    this.keeping = this.keeping.then(() => this.keepNow());
    return this.keeping;
  }

  private async keepNow(): Promise<void> {
    const { folder } = this;
    if (folder === undefined) return;
    this.isBusy = true;
    for (const cursor of this.cursors) {
      const { bytes, lost } = cursor.take();
      this.lostBytes += lost;
      if (bytes.length > 0) await this.write(folder, bytes);
    }
    this.isBusy = false;
  }

  private async write(folder: HistoryFolder, bytes: Buffer): Promise<void> {
    try {
      if (Date.now() < this.retryAt) this.lostBytes += bytes.length;
      else await folder.append(bytes);
    } catch (error) {
      this.lostBytes += bytes.length;
      this.retryAt = Date.now() + RETRY_MS;
      this.log('warn', 'the history is not kept on disk for a minute', { error: String(error) });
    }
  }
}

/** Entries of a ring, the oldest first. */
function entriesOfRing(ring: SharedArrayBuffer): Buffer[] {
  const { bytes } = new HistoryCursor(ring).take();
  return Array.from(entriesIn(bytes), (at) => bytes.subarray(at, at + bytes.readUInt32LE(at)));
}
