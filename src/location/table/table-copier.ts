// Copies a table out of shared memory while its shard keeps writing: each sub-table as of one moment, rows without such care, since a replay of the
// log corrects them. For checkpoints.

import { usedWords } from '../checkpoint/checkpoint.ts';
import { NEWS_COUNT, type TableNews, type TableParts } from './binding-table.ts';
import type { SubTable } from './key-index.ts';

/** Copies of a sub-table that keeps changing before the copier gives up: a shard that died in the middle of a change never ends it. */
const TRIES = 10_000;

export class TableCopier {
  private readonly chunks: Uint32Array[];
  private readonly tables: SubTable[];
  private readonly versions: Int32Array;
  private readonly next: () => TableNews | undefined;
  private heard: number;
  private buffer = new Int32Array(0);

  /** @param next returns the oldest announcement not returned yet, if any; it must not wait */
  constructor(parts: TableParts, next: () => TableNews | undefined) {
    this.chunks = [...parts.chunks];
    this.tables = [...parts.tables];
    this.versions = parts.versions;
    this.heard = parts.news;
    this.next = next;
  }

  /** Number of chunks; it may grow between calls. */
  get chunkCount(): number {
    this.listen();
    return this.chunks.length;
  }

  /** The words of a sub-table, valid until the next call, and the number of its used slots. Throws when its shard is gone. */
  subTable(sub: number): { readonly words: Int32Array; readonly used: number } {
    for (let tries = 0; tries < TRIES; tries++) {
      this.listen();
      const before = Atomics.load(this.versions, sub);
      const table = this.tables[sub];
      if (this.buffer.length < table.length) this.buffer = new Int32Array(table.length);
      const words = this.buffer.subarray(0, table.length);
      words.set(table);
      const isSame =
        Atomics.load(this.versions, sub) === before && Atomics.load(this.versions, NEWS_COUNT) === this.heard;
      if ((before & 1) === 0 && isSame) return { words, used: usedSlots(words) };
    }
    throw new Error('its shard is gone');
  }

  /** The words of a chunk at the time of the read: all of them, or in the last chunk those of rows ever used. */
  rows(chunk: number): Uint32Array {
    const words = this.chunks[chunk];
    return chunk < this.chunks.length - 1 ? words : words.subarray(0, Math.max(16, usedWords(words)));
  }

  /** Applies all announcements of the shard so far. */
  private listen(): void {
    if (Atomics.load(this.versions, NEWS_COUNT) === this.heard) return;
    for (let news = this.next(); news !== undefined; news = this.next()) {
      this.heard = (this.heard + 1) | 0;
      if (news.type === 'chunk') this.chunks[news.index] = news.chunk;
      else if (news.type === 'sub-table') this.tables[news.index] = news.table;
    }
  }
}

function usedSlots(words: Int32Array): number {
  let used = 0;
  for (let i = 1; i < words.length; i += 2) if (words[i] !== 0) used++;
  return used;
}
