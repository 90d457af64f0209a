// A frame of another log, applied to this node's log and table: the same entries for the same rows, in a frame of this log, together with the
// cleaner's moves (decisions/0115). @hot

import type { ChangedKeys } from '../shared/changed-keys.ts';
import type { BindingTable } from '../table/binding-table.ts';
import type { FrameWriter } from './frame-writer.ts';
import type { LogCleaner } from './log-cleaner.ts';
import {
  ENTRY_RECORD,
  ENTRY_REFRESH,
  ENTRY_REMOVAL,
  entryKind,
  entryRow,
  entrySalt,
  entryWords,
  firstEntry,
  RECORD_ENTRY_BYTES,
  recordBindings,
  recordLength,
  recordRowAt,
  refreshTag,
  refreshWordsAt,
  removalKeyAt,
} from './log-frame.ts';

const OFFSETS_AT_FIRST = 512;

export class FollowedFrame {
  /** Bytes of its entries. */
  bytes = 0;
  private frame: Uint8Array = new Uint8Array(0);
  private words: Uint32Array = new Uint32Array(0);
  private end = 0;
  private salt = 0;
  /** By record of the frame: its offset in this log's frame. */
  private offsets = new Int32Array(OFFSETS_AT_FIRST);

  /** @param frame its bytes [0, length) are a sound frame @param words the same bytes as words */
  take(frame: Uint8Array, words: Uint32Array, length: number): void {
    this.frame = frame;
    this.words = words;
    this.end = length >> 2;
    this.bytes = length - firstEntry(0) * 4;
    this.salt = entrySalt(words, 0);
  }

  /** The first row whose entry contradicts the table; -1: none does. */
  contradiction(table: BindingTable): number {
    const { words, end, salt } = this;
    for (let w = firstEntry(0); w < end; w += entryWords(words, w)) {
      const kind = entryKind(words, w);
      const row = entryRow(words, w);
      if (kind === ENTRY_RECORD && !table.mayBecome(row, words, recordRowAt(w))) return row;
      if (kind === ENTRY_REFRESH && !table.isRefreshed(row, refreshTag(words, w, salt))) return row;
      if (kind === ENTRY_REMOVAL && this.removed(table, w) !== row) return row;
    }
    return -1;
  }

  /** Adds its entries to a frame of this log. */
  copyInto(into: FrameWriter): void {
    const { words, end, salt } = this;
    let records = 0;
    for (let w = firstEntry(0); w < end; w += entryWords(words, w)) {
      const kind = entryKind(words, w);
      const row = entryRow(words, w);
      if (kind === ENTRY_RECORD) {
        const from = w * 4 + RECORD_ENTRY_BYTES;
        const to = from + recordLength(words, w);
        const offset = into.record(row, words, recordRowAt(w), recordBindings(words, w), this.frame, from, to);
        this.keepOffset(records++, offset);
      } else if (kind === ENTRY_REFRESH) into.refresh(row, refreshTag(words, w, salt), words, refreshWordsAt(w));
      else if (kind === ENTRY_REMOVAL) into.removal(row, words, removalKeyAt(w));
    }
  }

  /** Applies the entries to the table: this log's frame is at `place`. */
  apply(table: BindingTable, cleaner: LogCleaner, place: number, changes: ChangedKeys | null): void {
    const { words, end } = this;
    let records = 0;
    for (let w = firstEntry(0); w < end; w += entryWords(words, w)) {
      const kind = entryKind(words, w);
      const row = entryRow(words, w);
      if (kind === ENTRY_REFRESH) table.refresh(row, words, refreshWordsAt(w));
      if (kind === ENTRY_RECORD) {
        if (table.isLive(row)) cleaner.recordDead(table.placeOf(row));
        const at = place + this.offsets[records++];
        table.putAt(row, words, recordRowAt(w), at, recordBindings(words, w));
        cleaner.recordAdded(at, RECORD_ENTRY_BYTES + recordLength(words, w));
        changes?.add(words, recordRowAt(w));
      }
      if (kind === ENTRY_REMOVAL) {
        cleaner.recordDead(table.placeOf(row));
        changes?.add(words, removalKeyAt(w));
        table.remove(row);
      }
    }
  }

  private removed(table: BindingTable, w: number): number {
    const at = removalKeyAt(w);
    const { words } = this;
    return table.find(words[at], words[at + 1], words[at + 2], words[at + 3]);
  }

  private keepOffset(record: number, offset: number): void {
    if (record === this.offsets.length) {
      const more = new Int32Array(record * 2);
      more.set(this.offsets);
      this.offsets = more;
    }
    this.offsets[record] = offset;
  }
}
