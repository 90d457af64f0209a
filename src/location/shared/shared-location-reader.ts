// Reads the model in another process than the registrar's: opens the current environment, notices when another one becomes current or the registrar
// is silent, and reads records by key. It sends the registrar nothing, and delays nothing.

import { LmdbSnapshots } from '../files/lmdb-snapshots.ts';
import type { LocationReader } from '../location-reader.ts';
import { openRecord, updateRecord } from '../record.ts';
import { type AboutLocation, OLDEST_SHARED_FORMAT, SHARED_FORMAT } from './about-location.ts';
import { ABOUT_KEY, BEAT_KEY, currentEnvironment, openEnvironment, sharedFolder } from './shared-location-files.ts';

/** Least time between two checks of the heartbeat and the current environment. */
const LOOK_MS = 100;
/** The heartbeat, and the description for readers. */
const OTHER_KEYS = 2;
const ABOUT_BYTES = 64 << 10;

export class SharedLocationReader implements LocationReader {
  private readonly data: string;
  readonly staleMs: number;
  private number: number;
  private snapshots: LmdbSnapshots;
  private lookedAt = 0;
  private beatAt = 0;
  private readonly beat = Buffer.alloc(8);
  about: AboutLocation;

  /**
   * @param data the registrar's data directory
   * @param staleMs heartbeats older than this mean that the registrar is down
   * @throws Error whose message names the remedy, if there is no model
   */
  constructor(data: string, staleMs: number) {
    this.data = data;
    this.staleMs = staleMs;
    const { number, snapshots, about } = this.openCurrent();
    this.number = number;
    this.snapshots = snapshots;
    this.about = about;
    this.look(Date.now());
  }

  read(key: Uint8Array, into: Uint8Array): number {
    const length = this.snapshots.read(key, into);
    if (length < 0 || length > into.length) return length;
    return openRecord(into, 0, length) ? updateRecord(into, length) : -1;
  }

  /** Number of registered AORs. */
  get aors(): number {
    return this.snapshots.count - OTHER_KEYS;
  }

  /** Ms since the registrar's last sign of life. */
  age(now: number): number {
    this.refresh(now);
    return now - this.beatAt;
  }

  /** Once per lookup. @returns whether another environment has been opened. @param now epoch ms */
  refresh(now: number): boolean {
    if (now - this.lookedAt < LOOK_MS && now >= this.lookedAt) return false;
    return this.look(now);
  }

  scan(): undefined {
    return undefined;
  }

  close(): void {
    this.snapshots.closeAll();
  }

  private look(now: number): boolean {
    this.lookedAt = now;
    if (this.snapshots.read(BEAT_KEY, this.beat) === this.beat.length) this.beatAt = this.beat.readDoubleLE();
    if (now - this.beatAt < this.staleMs || currentEnvironment(this.data) === this.number) return false;
    try {
      const { number, snapshots, about } = this.openCurrent();
      this.snapshots.closeAll();
      this.number = number;
      this.snapshots = snapshots;
      this.about = about;
    } catch {
      return false; // the open environment stays in use
    }
    if (this.snapshots.read(BEAT_KEY, this.beat) === this.beat.length) this.beatAt = this.beat.readDoubleLE();
    return true;
  }

  private openCurrent(): { number: number; snapshots: LmdbSnapshots; about: AboutLocation } {
    const number = currentEnvironment(this.data);
    if (number === undefined) {
      const fix = 'set "location: { shared: true }" in the configuration of the registrar and start it';
      throw new Error(`there is no read model in ${sharedFolder(this.data)}: ${fix}`);
    }
    const snapshots = new LmdbSnapshots(openEnvironment(this.data, number));
    const bytes = Buffer.alloc(ABOUT_BYTES);
    const length = snapshots.read(ABOUT_KEY, bytes);
    const about = length > 0 ? (JSON.parse(bytes.toString('utf8', 0, length)) as AboutLocation) : undefined;
    if (isReadable(about)) return { number, snapshots, about };
    snapshots.closeAll();
    throw new Error(`the read model in ${sharedFolder(this.data)} is another version's: use that of the registrar`);
  }
}

function isReadable(about: AboutLocation | undefined): about is AboutLocation {
  return about !== undefined && about.format >= OLDEST_SHARED_FORMAT && about.format <= SHARED_FORMAT;
}
