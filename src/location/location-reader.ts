// Contract of readers of committed bindings in other threads than the shard's: lookups by HTTP and by programs,
// exports. Every store has an implementation; test/location/store-conformance checks them. Readers never write.

/** A record may exist, but the disk or the system cannot read it now. */
export class UnreadableError extends Error {
  override readonly name = 'UnreadableError';
  readonly code: string | undefined;

  /** @param cause the system's error */
  constructor(cause: unknown) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    super(`bindings cannot be read now (${reason})`, { cause });
    this.code = (cause as NodeJS.ErrnoException).code;
  }
}

/** @param row number of the record's row, if the store has rows */
export type RecordVisit = (key: Uint8Array, record: Uint8Array, row?: number) => void;

export interface LocationReader {
  /**
   * Copies the committed record of `key` into `into` and returns its length in bytes, or -1 where there is none. A record
   * longer than `into` is not copied: the caller sees that by the length. The effects of a commit are visible once it has
   * returned, and never before. A damaged record reads as none and stays where it is: the shard is told, and sets it aside.
   * @throws UnreadableError
   */
  read(key: Uint8Array, into: Uint8Array): number;

  /**
   * Visits up to `max` sound records after the cursor `after` (an empty one starts) in the store's own order. Key and record are
   * valid only during the call. Returns the cursor of the next call, or undefined at the end. A scan keeps no state between
   * calls, so each call sees the commits up to then: a record that stays is visited once, one added or removed meanwhile may be
   * missed.
   */
  scan(after: Uint8Array, max: number, visit: RecordVisit): Uint8Array | undefined;

  close(): void;
}

/** Where a scan starts. */
export const SCAN_START = new Uint8Array(0);
