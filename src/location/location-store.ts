// What a location store promises: what a batch loads, what it commits, what a restart gives back.
// Every implementation passes test/location/store-conformance. How bindings are stored is nobody's business here.

import type { RowCopy } from './table/binding-row.ts';
import type { WriteSet } from './write-set.ts';

/** What a scan found. */
export interface ScanReport {
  /** Sound records visited. */
  readonly records: number;
  /** Damaged ones, set aside so that they are not met again. */
  readonly quarantined: number;
}

export interface DueVisitor {
  /**
   * The first binding of an AOR has run out; its key as four words.
   * @param expiresAt epoch ms @param isOnly it has no other, and is `plain`
   */
  expire(k0: number, k1: number, k2: number, k3: number, expiresAt: number, isOnly: boolean): void;
}

export interface RecordVisitor {
  /** A sound record: key as four words, bytes[0, length). Both are only valid during the call. */
  visitRecord(key: Uint32Array, bytes: Uint8Array, length: number): void;
}

/** What was handed over will never hold, since another node writes now: its clients' requests are that node's. */
export class OwnershipLost extends Error {
  constructor() {
    super('another node owns the shard, or is about to');
  }
}

export interface LocationStore {
  /**
   * What the store knows of an AOR without reading its record; key as four words. False where it has no bindings. What a
   * refresh changes is to be had from `into` where it is `plain`.
   */
  find(k0: number, k1: number, k2: number, k3: number, into: RowCopy): boolean;

  /**
   * Copies the record of `key` into `into` and returns its length in bytes, or -1 where there is none. Where it is longer
   * than `into` nothing is copied: the caller sees that by the length. A damaged record is quarantined, counted and reported as none.
   * @throws the disk's error, where it gives nothing and takes nothing
   */
  load(key: Uint8Array, into: Uint8Array): number;

  /**
   * Hands over every write of the set, as one transaction, and returns its position: once `settled` is there, all of them hold
   * and will after a crash (of the process, and with durability `durable` of the machine). When it throws, none does. A store that
   * waits for its disk has settled it on return. One that does not shows nothing of it until then, and reads the set during the call only.
   * @param now epoch ms
   * @param lasting false: after a crash of the machine removals may be undone, where there is nothing else; for what time removes anyway
   */
  commit(writes: WriteSet, now: number, lasting?: boolean): number;

  /**
   * The position up to which all that was handed over holds; never waits. Throws, once, where no more will: nothing behind that position
   * holds then, and until it has told so, `commit` throws.
   */
  settled(): number;

  /**
   * For stores that other nodes may have taken over: the position that must be settled before it may be said that nothing has changed.
   * Throws as a commit would. @param now epoch ms
   */
  confirm?(now: number): number;

  /** Writes as a commit does, without a change: throws where a commit would. @param now epoch ms */
  prove(now: number): void;

  /** The clock was set back: from `now` (epoch ms) on the only binding of an AOR has no more left than it was granted. */
  shorten(now: number): void;

  /**
   * Names AORs whose first binding has run out by `now` (epoch ms), looking at no more than `budget`. An AOR that the next
   * commit neither removes nor gives a later expiry is named again a second later.
   */
  expire(now: number, budget: number, visitor: DueVisitor): void;

  /** Milliseconds until `expire` has work, 0 when it has, -1 when there is nothing to wait for. */
  msToNextExpiry(now: number): number;

  /** Visits every sound record; key and record are valid only during the call. */
  scan(visit: (key: Uint8Array, record: Uint8Array) => void): ScanReport;

  /**
   * Looks at up to `max` AORs from `cursor` on (0 at first) and returns where to go on, -1 at the end. Damaged records are
   * passed over. Commits may come between calls: a record that stays is met, one added or removed meanwhile may be missed.
   */
  visitSome(cursor: number, max: number, visitor: RecordVisitor): number;

  /** Bytes of records that a commit surely takes: who can wait with a record hands over no more at once. */
  readonly batchBytes: number;

  /** AORs with bindings, and their bindings. */
  readonly aors: number;
  readonly bindings: number;

  /** Records quarantined since the store was opened. */
  readonly quarantined: number;

  close(): void;
}
