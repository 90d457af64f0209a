// From an AOR's key to its row number: 1,024 small tables that grow one at a time, so that no growth takes long, in memory
// that other threads may read. It has tags and row numbers alone; the caller compares the whole key with the row. @hot

import { SLOTS_MIN, SUB_BITS } from './index-size.ts';

/** The sub-table is chosen by the third word of a key, the tag. Shards and the write set use other words. */
export const SUB_TABLES = 1 << SUB_BITS;
/** Least number of slots in earlier versions, whose checkpoints are still read. */
const SLOTS_RESTORED_MIN = 16;
const SLOT_BYTES = 8;

/** Slots of two words each: tag, row number + 1 (0: empty). */
export type SubTable = Int32Array;

export interface IndexObserver {
  /** Sub-table `sub` has been replaced by a larger one. */
  grown(sub: number, table: SubTable): void;
}

/**
 * Open addressing, linear probing, at most three quarters full, backward-shift deletion, so no tombstones remain. The
 * tag alone decides the slot, so neither growth nor deletion reads a row. @hot
 */
export class KeyIndex {
  /** Number of keys. */
  count = 0;
  readonly tables: SubTable[] = [];
  private readonly counts = new Int32Array(SUB_TABLES);
  private readonly observer: IndexObserver | null;

  constructor(observer: IndexObserver | null = null) {
    this.observer = observer;
    // One buffer for all: the system allocates its pages when they are written, while 1,024 separate buffers would be cleared at once.
    const memory = new SharedArrayBuffer(SUB_TABLES * SLOTS_MIN * SLOT_BYTES);
    for (let at = 0; at < memory.byteLength; at += SLOTS_MIN * SLOT_BYTES)
      this.tables.push(new Int32Array(memory, at, SLOTS_MIN * 2));
  }

  /** The first slot that may hold a key with this tag, or -1; `next` returns the others. */
  first(tag: number): number {
    const table = this.tables[tag & (SUB_TABLES - 1)];
    return probe(table, tag, homeOf(table, tag));
  }

  next(tag: number, slot: number): number {
    const table = this.tables[tag & (SUB_TABLES - 1)];
    return probe(table, tag, (slot + 1) & slotMask(table));
  }

  rowAt(tag: number, slot: number): number {
    return this.tables[tag & (SUB_TABLES - 1)][slot * 2 + 1] - 1;
  }

  /** Adds a key that is not there. */
  add(tag: number, row: number): void {
    const sub = tag & (SUB_TABLES - 1);
    let table = this.tables[sub];
    if ((this.counts[sub] + 1) * 4 > (slotMask(table) + 1) * 3) table = this.grow(sub);
    insert(table, tag, row + 1);
    this.counts[sub]++;
    this.count++;
  }

  /** Removes a key and moves back later ones that probing would no longer reach. False: it was not there. */
  remove(tag: number, row: number): boolean {
    const sub = tag & (SUB_TABLES - 1);
    const table = this.tables[sub];
    const mask = slotMask(table);
    let slot = this.first(tag);
    while (slot >= 0 && table[slot * 2 + 1] !== row + 1) slot = this.next(tag, slot);
    if (slot < 0) return false;
    let hole = slot;
    for (let at = (slot + 1) & mask; table[at * 2 + 1] !== 0; at = (at + 1) & mask) {
      const home = homeOf(table, table[at * 2]);
      if (((at - home) & mask) < ((at - hole) & mask)) continue;
      table[hole * 2] = table[at * 2];
      table[hole * 2 + 1] = table[at * 2 + 1];
      hole = at;
    }
    table[hole * 2 + 1] = 0;
    this.counts[sub]--;
    this.count--;
    return true;
  }

  /** Removes every key. */
  clear(): void {
    for (const table of this.tables) table.fill(0);
    this.counts.fill(0);
    this.count = 0;
  }

  /** Makes sub-table `sub` one of `words` words, which the caller fills; undefined: no sub-table can be so long. @param used slots */
  restore(sub: number, words: number, used: number): SubTable | undefined {
    const slots = words >> 1;
    if (slots < SLOTS_RESTORED_MIN || (slots & (slots - 1)) !== 0 || words !== slots * 2 || used >= slots)
      return undefined;
    const table = createSubTable(slots);
    this.count += used - this.counts[sub];
    this.counts[sub] = used;
    this.tables[sub] = table;
    return table;
  }

  private grow(sub: number): SubTable {
    const from = this.tables[sub];
    const table = createSubTable(from.length); // two words a slot: twice the slots
    for (let i = 0; i < from.length; i += 2) if (from[i + 1] !== 0) insert(table, from[i], from[i + 1]);
    this.tables[sub] = table;
    this.observer?.grown(sub, table);
    return table;
  }
}

/** For readers in other threads, which have the sub-tables themselves. */
export function probe(table: SubTable, tag: number, from: number): number {
  const mask = slotMask(table);
  for (let slot = from, looked = 0; looked <= mask; slot = (slot + 1) & mask, looked++) {
    if (table[slot * 2 + 1] === 0) return -1;
    if (table[slot * 2] === (tag | 0)) return slot;
  }
  return -1;
}

export function homeOf(table: SubTable, tag: number): number {
  return (tag >>> SUB_BITS) & slotMask(table);
}

function slotMask(table: SubTable): number {
  return (table.length >> 1) - 1;
}

function insert(table: SubTable, tag: number, rowPlusOne: number): void {
  const mask = slotMask(table);
  let slot = homeOf(table, tag);
  while (table[slot * 2 + 1] !== 0) slot = (slot + 1) & mask;
  table[slot * 2] = tag;
  table[slot * 2 + 1] = rowPlusOne;
}

/** @param slots a power of two */
function createSubTable(slots: number): SubTable {
  return new Int32Array(new SharedArrayBuffer(slots * SLOT_BYTES));
}
