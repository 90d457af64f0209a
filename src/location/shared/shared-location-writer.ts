// Keeps the read model: makes an environment of all that is registered, then follows the shards' changes, and makes another one where
// it cannot know any more that the first is right. Runs in a thread of its own (shared-location-task); nobody waits for it.

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

/** Records that one step of a build copies, and changes that one transaction has at most. */
const STEP_MAX = 512;
export const BEAT_MS = 250;
/** How often the file's size is looked at. */
const LOOK_MS = 1000;
/** A file that is this many times as long as what lives in it, and so much more, is made anew: a reader has held it up. */
const GROWTH_FACTOR = 3;
const GROWTH_BYTES = 64 << 20;

/** What the model is made of: one per shard. */
export interface SharedSource {
  readonly reader: LocationReader;
  readonly changes: ChangedKeysReader;
}

interface Environment {
  readonly number: number;
  readonly db: ReturnType<typeof createEnvironment>;
}

interface Build extends Environment {
  /** Shard that is being copied, and how far. */
  shard: number;
  after: Uint8Array;
}

export class SharedLocationWriter {
  /** Changes that were applied, and environments that were made, since the start. */
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
   * @param growthBytes that the file may have beyond what lives in it, however little that is
   */
  constructor(data: string, shards: number, about: AboutLocation, growthBytes = GROWTH_BYTES) {
    this.data = data;
    this.growthBytes = growthBytes;
    this.about = about;
    this.sources = Array.from({ length: shards }, () => undefined);
    this.next = Math.max(0, currentEnvironment(data) ?? 0, ...environmentsIn(data)) + 1;
  }

  /** A life of a shard begins. What changed just before the last one ended may not have been told. */
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

  /** Whether no shard has told of a change that is not written. */
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

  /** After an error: what has been written is not known to be right. */
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

  /** Some changes of each shard; whether one of them has more. */
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

  /** Whatever is registered under the keys now: told twice, it is written twice and stays right. */
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

  /** That the server lives; now and then, whether the file is longer than it need be. */
  private tell(now: number): void {
    if (this.current === undefined || now - this.beatAt < BEAT_MS) return;
    this.beatAt = now;
    this.writeBeat(this.current);
    if (now - this.lookedAt < LOOK_MS) return;
    this.lookedAt = now;
    this.current.db.readerCheck(); // readers that died hold nothing up
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
