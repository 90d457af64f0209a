// One file on a simulated disk: what is surely there, what was written since, and what a power cut may leave of it.

import type { Random } from '../simulation/shards/random.ts';

interface Write {
  readonly at: number;
  readonly data: Uint8Array;
  readonly lasting: boolean;
}

type Change = Write | { readonly size: number };

/** How a cut treats what was not synced. */
export interface Chances {
  /** Bytes that the disk writes whole or not at all. */
  readonly unit: 512 | 4096;
  /** That a unit has all that was written to it; else any of its versions. */
  readonly newest: number;
  /** That a unit has nothing of what was written to it; looked at first. */
  readonly oldest: number;
}

export class DiskFile {
  /** Synced. */
  private content: Buffer;
  private changes: Change[] = [];

  constructor(content: Buffer = Buffer.alloc(0)) {
    this.content = content;
  }

  /** Another with the same content and the same changes. */
  clone(): DiskFile {
    const clone = new DiskFile(this.content);
    clone.changes = [...this.changes];
    return clone;
  }

  write(at: number, data: Uint8Array, lasting: boolean): void {
    this.changes.push({ at, data, lasting });
  }

  resize(size: number): void {
    this.changes.push({ size });
  }

  sync(): void {
    this.content = applied(this.content, this.changes);
    this.changes = [];
  }

  /** The file as its process sees it. */
  get whole(): Buffer {
    return applied(this.content, this.changes);
  }

  /** What may be there after a power cut: of each unit some version, of the length one that it had. */
  cut(random: Random, chances: Chances): Buffer {
    if (this.changes.length === 0) return this.content;
    const size = this.sizeAfterCut(random, chances);
    const result = Buffer.alloc(size);
    this.content.copy(result);
    for (const [unit, versions] of this.versions(chances.unit)) {
      const from = unit * chances.unit;
      if (from >= size) continue;
      const chosen = this.choose(versions, random, chances);
      if (chosen > 0) this.unitAfter(versions.slice(0, chosen), from, chances.unit).copy(result, from);
    }
    return result;
  }

  /** By unit: the changes that touched it, in order. */
  private versions(unit: number): Map<number, number[]> {
    const versions = new Map<number, number[]>();
    const longest = Math.max(this.content.length, ...this.changes.map(endOf));
    for (const [index, change] of this.changes.entries()) {
      const from = 'size' in change ? change.size : change.at;
      const to = 'size' in change ? longest : endOf(change);
      for (let n = Math.floor(from / unit); n * unit < to; n++) {
        const list = versions.get(n);
        if (list === undefined) versions.set(n, [index]);
        else list.push(index);
      }
    }
    return versions;
  }

  /** How many of a unit's changes have reached the disk. */
  private choose(versions: readonly number[], random: Random, { newest, oldest }: Chances): number {
    let least = 0;
    for (const [n, index] of versions.entries()) {
      const change = this.changes[index];
      if ('at' in change && change.lasting) least = n + 1;
    }
    if (random.chance(oldest)) return least;
    return random.chance(newest) ? versions.length : random.between(least, versions.length);
  }

  private unitAfter(versions: readonly number[], from: number, unit: number): Buffer {
    const bytes = Buffer.alloc(unit);
    bytes.set(this.content.subarray(from, from + unit));
    for (const index of versions) {
      const change = this.changes[index];
      if ('size' in change) bytes.fill(0, Math.max(0, change.size - from));
      else {
        const begin = Math.max(from, change.at);
        const end = Math.min(from + unit, change.at + change.data.length);
        bytes.set(change.data.subarray(begin - change.at, end - change.at), begin - from);
      }
    }
    return bytes;
  }

  /** A lasting write has its length, too. */
  private sizeAfterCut(random: Random, { newest, oldest }: Chances): number {
    const sizes = [this.content.length];
    let least = 0;
    for (const change of this.changes) {
      const before = sizes[sizes.length - 1];
      const after = 'size' in change ? change.size : Math.max(before, endOf(change));
      if (after !== before) sizes.push(after);
      if ('at' in change && change.lasting) least = sizes.length - 1;
    }
    if (random.chance(oldest)) return sizes[least];
    return sizes[random.chance(newest) ? sizes.length - 1 : random.between(least, sizes.length - 1)];
  }
}

function endOf(change: Change): number {
  return 'size' in change ? change.size : change.at + change.data.length;
}

function applied(content: Buffer, changes: readonly Change[]): Buffer {
  if (changes.length === 0) return content;
  let size = content.length;
  let room = Buffer.alloc(Math.max(size, ...changes.map(endOf)));
  content.copy(room);
  for (const change of changes) {
    if ('size' in change) {
      if (change.size < size) room.fill(0, change.size, size);
      size = change.size;
    } else {
      room.set(change.data, change.at);
      size = Math.max(size, endOf(change));
    }
  }
  room = room.subarray(0, size);
  return room;
}
