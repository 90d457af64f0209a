// Contract of a location store: the loads and the commit of a batch, and the state after a restart.
// Every implementation passes test/location/store-conformance. The form of stored bindings is left to the implementations.

import type { RowCopy } from './table/binding-row.ts';
import type { WriteSet } from './write-set.ts';

/** Result of a scan. */
export interface ScanReport {
  /** Sound records visited. */
  readonly records: number;
  /** Damaged records, set aside so that no scan meets them again. */
  readonly quarantined: number;
}

export interface DueVisitor {
  /**
   * The first binding of an AOR has expired; its key as four words.
   * @param expiresAt epoch ms @param isOnly the AOR has no other binding, and its row is `plain`
   */
  expire(k0: number, k1: number, k2: number, k3: number, expiresAt: number, isOnly: boolean): void;
}

export interface RecordVisitor {
  /** A sound record: key as four words, bytes[0, length). Both are only valid during the call. */
  visitRecord(key: Uint32Array, bytes: Uint8Array, length: number): void;
}

/** A handed-over batch will never hold, since another node writes now: that node answers the batch's requests. */
export class OwnershipLost extends Error {
  constructor() {
    super('another node owns the shard, or is about to');
  }
}

export interface LocationStore {
  /**
   * Copies the row of an AOR without reading its record; key as four words. False: the AOR has no bindings. If `into` is
   * `plain`, it has all fields that a refresh changes.
   */
  find(k0: number, k1: number, k2: number, k3: number, into: RowCopy): boolean;

  /**
   * Copies the record of `key` into `into` and returns its length in bytes, or -1 where there is none. A record longer than `into` is
   * not copied: the caller sees that by the length. A damaged record is quarantined, counted and reported as none.
   * @throws the disk's error, if the disk can neither read the record nor write its removal
   */
  load(key: Uint8Array, into: Uint8Array): number;

  /**
   * Hands over every write of the set, as one transaction, and returns its position. Once `settled` has reached it, all writes
   * hold, also after a crash (of the process, and with durability `durable` of the machine). When it throws, none holds. A store
   * that waits for its disk has settled the batch on return. Another store shows none of its writes until it is settled, and reads
   * the set during the call only.
   * @param now epoch ms
   * @param lasting false: a crash of the machine may undo a batch of removals alone, for bindings that expire anyway
   */
  commit(writes: WriteSet, now: number, lasting?: boolean): number;

  /**
   * The position up to which all handed-over batches hold; never waits. Throws, once, when no later batch will hold: nothing after that
   * position holds then, and `commit` throws until this error was thrown.
   */
  settled(): number;

  /**
   * For stores whose shard another node may own by now: an answer that reports no change must wait until this position is settled.
   * Throws as a commit would. @param now epoch ms
   */
  confirm?(now: number): number;

  /** Writes as a commit does, without a change: throws where a commit would. @param now epoch ms */
  prove(now: number): void;

  /** The clock was set back: from `now` (epoch ms) on the remaining lifetime of an AOR's only binding is at most the granted one. */
  shorten(now: number): void;

  /**
   * Calls the visitor for AORs whose first binding has expired by `now` (epoch ms), at most `budget` rows. An AOR that the
   * next commit neither removes nor extends is visited again a second later.
   */
  expire(now: number, budget: number, visitor: DueVisitor): void;

  /** Milliseconds until `expire` has work, 0 when it has, -1 when there is nothing to wait for. */
  msToNextExpiry(now: number): number;

  /** Visits every sound record; key and record are valid only during the call. */
  scan(visit: (key: Uint8Array, record: Uint8Array) => void): ScanReport;

  /**
   * Visits up to `max` AORs from `cursor` on (0 at first) and returns the next cursor, -1 at the end. Damaged records are
   * skipped. Commits may come between calls: a record that stays is visited, one added or removed meanwhile may be missed.
   */
  visitSome(cursor: number, max: number, visitor: RecordVisitor): number;

  /** Bytes of records that every commit accepts: a caller that can delay a record hands over no more at once. */
  readonly batchBytes: number;

  /** AORs with bindings, and their bindings. */
  readonly aors: number;
  readonly bindings: number;

  /** Records quarantined since the store was opened. */
  readonly quarantined: number;

  close(): void;
}
