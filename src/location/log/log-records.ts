// One record from the log, by its place and updated to the current version: for the shard, and for readers in other threads, for which the record may
// be gone already.

import { openRecord, updateRecord } from '../record.ts';
import type { LogSource } from './log.ts';
import { isRecordHeadSound, RECORD_ENTRY_BYTES, recordLength, recordRowAt } from './log-frame.ts';

/** Bytes of the first read: most records end within. */
const READ_BYTES = 1024;

export class RecordReader {
  private readonly source: LogSource;
  private bytes = new Uint8Array(new ArrayBuffer(READ_BYTES));
  private words = new Uint32Array(this.bytes.buffer);

  constructor(source: LogSource) {
    this.source = source;
  }

  /**
   * Copies the record whose entry is at `place` into `into`, if it fits, and returns its length; -1 if there is no
   * sound record of the AOR with the key at words[at …].
   */
  read(place: number, words: Uint32Array, at: number, into: Uint8Array): number {
    let got = this.source.read(place, this.bytes, 0, this.bytes.length);
    // A short read ends before bytes that the disk cannot read: the next read throws the reason.
    for (let more = got; got < RECORD_ENTRY_BYTES && more > 0; got += more)
      more = this.source.read(place + got, this.bytes, got, RECORD_ENTRY_BYTES - got);
    if (got < RECORD_ENTRY_BYTES || !isRecordHeadSound(this.words, 0)) return -1;
    for (let i = 0; i < 4; i++) if (this.words[recordRowAt(0) + i] !== words[at + i]) return -1;
    const length = recordLength(this.words, 0);
    const end = RECORD_ENTRY_BYTES + length;
    if (end > got && !this.readRest(place, got, end)) return -1;
    if (!openRecord(this.bytes, RECORD_ENTRY_BYTES, end)) return -1;
    if (length > into.length) return length;
    into.set(this.bytes.subarray(RECORD_ENTRY_BYTES, end));
    return updateRecord(into, length);
  }

  private readRest(place: number, got: number, end: number): boolean {
    if (end > this.bytes.length) {
      const grown = new Uint8Array(new ArrayBuffer((end + READ_BYTES) & ~7));
      grown.set(this.bytes.subarray(0, got));
      this.bytes = grown;
      this.words = new Uint32Array(grown.buffer);
    }
    let have = got;
    for (let more = 1; have < end && more > 0; have += more)
      more = this.source.read(place + have, this.bytes, have, end - have);
    return have >= end;
  }
}
