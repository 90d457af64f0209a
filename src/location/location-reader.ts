// What reading committed bindings promises to threads that are not the shard: lookups by HTTP and by programs, exports.
// Every store brings an implementation; test/location/store-conformance holds them to this. Nobody writes through it.

/** A record may be there, and the disk, or the system, does not give it now. */
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

/** @param row where the store has its records in numbered rows */
export type RecordVisit = (key: Uint8Array, record: Uint8Array, row?: number) => void;

export interface LocationReader {
  /**
   * Copies the committed record of `key` into `into` and returns its length in bytes, or -1 where there is none. Where it is
   * longer than `into` nothing is copied: the caller sees that by the length. What a commit that has returned says is seen at
   * once, what one under way says not at all. A damaged record reads as none and stays where it is: setting it aside is the shard's, who is told.
   * @throws UnreadableError
   */
  read(key: Uint8Array, into: Uint8Array): number;

  /**
   * Visits up to `max` sound records behind `after` (the empty cursor starts) in the store's own order. Key and record are valid
   * only during the call. Returns the cursor to go on with, or undefined at the end. Nothing is held between calls, so each
   * sees what is committed by then: a record that stays is met once, one added or removed meanwhile may be missed.
   */
  scan(after: Uint8Array, max: number, visit: RecordVisit): Uint8Array | undefined;

  close(): void;
}

/** Where a scan starts. */
export const SCAN_START = new Uint8Array(0);
