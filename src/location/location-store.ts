// What a location store promises: what a batch loads, what it commits, what a restart gives back.
// Every implementation passes test/location/store-conformance. How bindings are stored is nobody's business here.

import type { WriteSet } from './write-set.ts';

/** Length of an AOR's key: a keyed 128-bit hash of its canonical form. */
export const AOR_KEY_BYTES = 16;

/** What a scan found, for the start's log line. */
export interface ScanReport {
  /** Sound records visited. */
  readonly records: number;
  /** Damaged ones, set aside so that they are not met again. */
  readonly quarantined: number;
}

export interface LocationStore {
  /**
   * Copies the record of `key` into `into` and returns its length in bytes, or -1 where there is none. Where it is longer
   * than `into` nothing is copied: the caller sees that by the length. A damaged record is quarantined, counted and reported as none.
   */
  load(key: Uint8Array, into: Uint8Array): number;

  /**
   * Applies every write of the set, in one transaction: when it returns, all of them hold and will after a crash
   * (of the process, and with durability `durable` of the machine); when it throws, none does.
   */
  commit(writes: WriteSet): void;

  /** Visits every sound record; key and record are valid only during the call. Used at the start. */
  scan(visit: (key: Uint8Array, record: Uint8Array) => void): ScanReport;

  /** Records there are, to tell how far a scan is; good to a few. */
  count(): number;

  /** Records quarantined since the store was opened. */
  readonly quarantined: number;

  close(): void;
}
