// Keeps the read model: copies all registered AORs to an environment, then applies the shards' changes, and makes a new environment when the old one
// may be wrong. Runs in a thread of its own (shared-location-task); no other thread waits for it.

import { statSync } from 'node:fs';
import { join } from 'node:path';
import type { LocationReader } from '../location-reader.ts';
import { SCAN_START } from '../location-reader.ts';
import { RECORD_BYTES_MAX } from '../record.ts';
import type { AboutLocation } from './about-location.ts';
import type { ChangedKeysReader } from './changed-keys.ts';
import {
  ABOUT_KEY,
  BEAT_KEY,
  createEnvironment,
  currentEnvironment,
  environmentFolder,
  environmentsIn,
  makeCurrent,
  removeEnvironment,
} from './shared-location-files.ts';

/** Records that one step of a build copies, and changes of one transaction, at most. */
const STEP_MAX = 512;
export const BEAT_MS = 250;
/** Time between two checks of the file's size. */
const LOOK_MS = 1000;
/** A file longer than its live content by this factor, and by GROWTH_BYTES, is made anew: an old snapshot of a reader keeps its pages. */
const GROWTH_FACTOR = 3;
const GROWTH_BYTES = 64 << 20;

/** A shard's bindings and changes, the source of the model. */
export interface SharedSource {
  readonly reader: LocationReader;
  readonly changes: ChangedKeysReader;
}

interface Environment {
  readonly number: number;
  readonly db: ReturnType<typeof createEnvironment>;
}

interface Build extends Environment {
  /** Shard that is being copied, and the position in it. */
  shard: number;
  after: Uint8Array;
}

export class SharedLocationWriter {
  /** Applied changes and made environments, since the start. */
  changes = 0;
  builds = 0;
  private readonly data: string;
  private readonly growthBytes: number;
  private about: AboutLocation;
  private readonly sources: (SharedSource | undefined)[];
  private current: Environment | undefined;
  private build: Build | undefined;
  private wanted = true;
  private next: number;
  private beatAt = Number.NEGATIVE_INFINITY;
  private lookedAt = Number.NEGATIVE_INFINITY;
  private readonly key = new Uint32Array(4);
  private readonly keyBytes = new Uint8Array(this.key.buffer);
  private readonly record = Buffer.alloc(RECORD_BYTES_MAX);
  private readonly beat = Buffer.alloc(8);

  /**
   * @param data the data directory
   * @param growthBytes that the file may always have beyond its live content
   */
  constructor(data: string, shards: number, about: AboutLocation, growthBytes = GROWTH_BYTES) {
    this.data = data;
    this.growthBytes = growthBytes;
    this.about = about;
    this.sources = Array.from({ length: shards }, () => undefined);
    this.next = Math.max(0, currentEnvironment(data) ?? 0, ...environmentsIn(data)) + 1;
  }

  /** A life of a shard begins. The last changes of the life before may not have been sent. */
  opened(shard: number, source: SharedSource): void {
    this.ended(shard);
    this.sources[shard] = source;
    this.wanted = true;
  }

  ended(shard: number): void {
    this.sources[shard]?.reader.close();
    this.sources[shard] = undefined;
  }

  /** Other rules are in force. */
  configure(about: AboutLocation): void {
    this.about = about;
    this.writeAbout(this.current);
    this.writeAbout(this.build);
  }

  /** Whether all changes that shards have sent are written. */
  get idle(): boolean {
    return this.sources.every((source) => source === undefined || source.changes.empty);
  }

  /**
   * Does a bounded piece of work. Throws the disk's error; the next call begins anew.
   * @param now ms of a monotonic clock
   * @returns whether there is more to do at once
   */
  step(now: number): boolean {
    const changed = this.applyChanges();
    const built = this.stepBuild();
    this.tell(now);
    return changed || built;
  }

  /** After an error: the written records may be wrong. */
  reset(): void {
    this.abandonBuild();
    this.wanted = true;
  }

  close(): void {
    this.abandonBuild();
    void this.current?.db.close();
    this.current = undefined;
    for (const shard of this.sources.keys()) this.ended(shard);
  }

  /** Applies some changes of each shard; returns whether a shard has more. */
  private applyChanges(): boolean {
    let more = false;
    for (const source of this.sources) {
      if (source === undefined) continue;
      if (source.changes.tookLost()) this.wanted = true;
      const keys = this.nextKeys(source.changes);
      if (keys.length === 0) continue;
      for (const environment of [this.current, this.build]) this.put(environment, source.reader, keys);
      this.changes += keys.length;
      more ||= keys.length === STEP_MAX;
    }
    return more;
  }

  private nextKeys(changes: ChangedKeysReader): Buffer[] {
    const keys: Buffer[] = [];
    while (keys.length < STEP_MAX && changes.next(this.key)) keys.push(Buffer.from(this.keyBytes));
    return keys;
  }

  /** Writes the current record of each key: a key sent twice is written twice, which does no harm. */
  private put(environment: Environment | undefined, reader: LocationReader, keys: readonly Buffer[]): void {
    const { record } = this;
    environment?.db.transactionSync(() => {
      for (const key of keys) {
        const length = reader.read(key, record);
        if (length > 0 && length <= record.length) environment.db.putSync(key, Buffer.from(record.subarray(0, length)));
        else environment.db.removeSync(key);
      }
    });
  }

  private stepBuild(): boolean {
    if (this.build === undefined) {
      if (!this.wanted || this.sources.includes(undefined)) return false;
      this.wanted = false;
      const number = this.next++;
      this.build = { number, db: createEnvironment(this.data, number), shard: 0, after: SCAN_START };
    }
    const { build } = this;
    const source = this.sources[build.shard];
    if (this.wanted || source === undefined) {
      this.abandonBuild(); // a shard has begun another life meanwhile
      this.wanted = true;
      return true;
    }
    const after = build.db.transactionSync(() =>
      source.reader.scan(build.after, STEP_MAX, (key, record) => {
        build.db.putSync(Buffer.from(key), Buffer.from(record));
      }),
    );
    build.after = after ?? SCAN_START;
    if (after !== undefined || ++build.shard < this.sources.length) return true;
    this.finishBuild(build);
    return true;
  }

  private finishBuild(build: Build): void {
    this.build = undefined;
    this.writeAbout(build);
    this.writeBeat(build);
    const before = this.current;
    this.current = build;
    makeCurrent(this.data, build.number);
    this.builds++;
    void before?.db.close();
  }

  private abandonBuild(): void {
    const { build } = this;
    this.build = undefined;
    if (build === undefined) return;
    void build.db.close();
    removeEnvironment(this.data, build.number);
  }

  /** Writes the heartbeat; now and then, checks whether the file is too long. */
  private tell(now: number): void {
    if (this.current === undefined || now - this.beatAt < BEAT_MS) return;
    this.beatAt = now;
    this.writeBeat(this.current);
    if (now - this.lookedAt < LOOK_MS) return;
    this.lookedAt = now;
    this.current.db.readerCheck(); // dead readers must keep no pages
    if (this.build === undefined && this.hasGrown(this.current)) this.wanted = true;
  }

  private hasGrown({ db, number }: Environment): boolean {
    const { pageSize, treeBranchPageCount, treeLeafPageCount, overflowPages } = db.getStats() as Record<string, number>;
    const lives = (treeBranchPageCount + treeLeafPageCount + overflowPages) * pageSize;
    const { size } = statSync(join(environmentFolder(this.data, number), 'data.mdb'));
    return size > lives * GROWTH_FACTOR + this.growthBytes;
  }

  private writeBeat({ db }: Environment): void {
    this.beat.writeDoubleLE(Date.now());
    db.transactionSync(() => db.putSync(BEAT_KEY, Buffer.from(this.beat)));
  }

  private writeAbout(environment: Environment | undefined): void {
    const about = Buffer.from(JSON.stringify(this.about));
    environment?.db.transactionSync(() => environment.db.putSync(ABOUT_KEY, about));
  }
}
