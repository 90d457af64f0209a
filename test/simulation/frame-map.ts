// Whose bytes lie where in the log: told of every frame that is written, asked when bytes are damaged.

import {
  ENTRY_RECORD,
  ENTRY_REFRESH,
  entryKind,
  entryRow,
  entryWords,
  FRAME_HEADER_BYTES,
  firstEntry,
  REMOVAL_WORDS,
  recordRowAt,
  removalKeyAt,
} from '../../src/location/log/log-frame.ts';

/** Magic, length and address, at the beginning of a frame. */
const CLAIM_BYTES = 16;

interface Entry {
  /** Offsets in the frame. */
  readonly from: number;
  readonly end: number;
  readonly n: number;
  readonly full: boolean;
}

interface Frame {
  readonly place: number;
  readonly length: number;
  readonly order: number;
  readonly entries: readonly Entry[];
  settled: boolean;
  /** A cut of power does not undo it. */
  lasting: boolean;
  /** The sync that it waited for failed: a later one does not reach it. */
  loose: boolean;
}

export class FrameMap {
  private readonly frames = new Map<number, Frame>();
  /** By AOR: the newest settled frame that says all of it; and the newest that a cut of power does not undo. */
  private readonly newestFull: number[] = [];
  private readonly newestLasting: number[] = [];
  private written = 0;
  private readonly generationBytes: number;
  private readonly numberOf: (word: number) => number;

  /** @param numberOf the AOR whose key has that second word */
  constructor(generationBytes: number, numberOf: (word: number) => number = (word) => word) {
    this.generationBytes = generationBytes;
    this.numberOf = numberOf;
  }

  /** Of a copy of the log, which is synced. */
  copy(): FrameMap {
    const copy = new FrameMap(this.generationBytes, this.numberOf);
    for (const [place, frame] of this.frames)
      copy.frames.set(place, { ...frame, lasting: frame.settled, loose: false });
    copy.written = this.written;
    copy.restarted(() => true);
    return copy;
  }

  /** @param ownerOf the second word of the key of a row */
  writing(place: number, bytes: Uint8Array, length: number, ownerOf: (row: number) => number): void {
    const words = new Uint32Array(bytes.buffer, bytes.byteOffset, length >> 2);
    const entries: Entry[] = [];
    for (let w = firstEntry(0); w < words.length; w += entryWords(words, w)) {
      const kind = entryKind(words, w);
      const isRefresh = kind === ENTRY_REFRESH;
      const key = kind === ENTRY_RECORD ? recordRowAt(w) : removalKeyAt(w);
      const n = this.numberOf(isRefresh ? ownerOf(entryRow(words, w)) : words[key + 1]);
      entries.push({ from: w * 4, end: (w + entryWords(words, w)) * 4, n, full: !isRefresh });
    }
    this.frames.set(place, {
      place,
      length,
      order: ++this.written,
      entries,
      settled: false,
      lasting: false,
      loose: false,
    });
  }

  settled(place: number, lasting: boolean): void {
    const frame = this.frames.get(place);
    if (frame === undefined) return;
    frame.settled = true;
    note(this.newestFull, frame);
    if (!lasting) return;
    for (const one of this.frames.values()) {
      if (!one.settled || one.loose || one.lasting) continue;
      one.lasting = true;
      note(this.newestLasting, one);
    }
  }

  /** A start has synced all that it found. */
  synced(): void {
    for (const one of this.frames.values()) {
      if (!one.settled || one.lasting) continue;
      one.lasting = true;
      note(this.newestLasting, one);
    }
  }

  /** Whether a cut of power may undo something. */
  get isFirm(): boolean {
    for (const { settled, lasting } of this.frames.values()) if (settled && !lasting) return false;
    return true;
  }

  /** A generation has ended by a failure. */
  loosen(): void {
    for (const frame of this.frames.values()) if (!frame.lasting) frame.loose = true;
  }

  /** A crash is over: frames that had not lasted and are not there any more never were. */
  restarted(isThere: (place: number, length: number) => boolean): void {
    for (const frame of [...this.frames.values()]) {
      if (!isThere(frame.place, frame.length)) {
        if (!frame.lasting) frame.settled = false;
      }
      frame.loose = false;
    }
    this.newestFull.length = 0;
    this.newestLasting.length = 0;
    for (const frame of this.frames.values()) {
      if (frame.settled) note(this.newestFull, frame);
      if (frame.settled && frame.lasting) note(this.newestLasting, frame);
    }
  }

  /** Places of the frames from one place to another. */
  places(from: number, to: number): number[] {
    return [...this.frames.keys()].filter((place) => place >= from && place < to);
  }

  lengthAt(place: number): number {
    return this.frames.get(place)?.length ?? 0;
  }

  /**
   * AORs that bytes [from, to) are of, as far as nothing newer says all of them. A header is everybody's in its frame. The last frame of a
   * generation may be taken for a batch that was being written.
   * @param afterCut as it is once a cut of power has undone what it can
   */
  ownersOf(from: number, to: number, afterCut = false): Set<number> {
    const owners = new Set<number>();
    const newest = afterCut ? this.newestLasting : this.newestFull;
    for (const { place, length, order, entries } of this.frames.values()) {
      if (place >= to || place + length <= from) continue;
      const isHeader = from < place + FRAME_HEADER_BYTES || this.isLast(place, order, afterCut);
      for (const entry of entries) {
        if (!isHeader && (place + entry.from >= to || place + entry.end <= from)) continue;
        if (order >= (newest[entry.n] ?? 0)) owners.add(entry.n);
      }
    }
    return owners;
  }

  /** AORs of frames that were refused, from one place to another. */
  refusedBetween(from: number, to: number): number[] {
    const refused = [...this.frames.values()].filter(({ place, settled }) => !settled && place >= from && place < to);
    return refused.flatMap(({ entries }) => entries.map(({ n }) => n));
  }

  /** Whether a removal of an AOR was refused: where a record cannot be read and nothing can be written, a restart may find it applied. */
  hasRefusedRemoval(n: number): boolean {
    for (const { settled, entries } of this.frames.values())
      if (!settled && entries.some((entry) => entry.n === n && entry.end - entry.from === REMOVAL_WORDS * 4))
        return true;
    return false;
  }

  /** AORs of a generation's last frame, where a byte is of what its header is known by: nothing else tells that it is there. */
  hiddenBy(at: number): number[] {
    for (const { place, order, entries } of this.frames.values())
      if (at >= place && at < place + CLAIM_BYTES && this.isLast(place, order)) return entries.map(({ n }) => n);
    return [];
  }

  private isLast(place: number, order: number, afterCut = false): boolean {
    const generation = Math.floor(place / this.generationBytes);
    for (const other of this.frames.values())
      if (
        (afterCut ? other.lasting : other.settled) &&
        other.order > order &&
        Math.floor(other.place / this.generationBytes) === generation
      )
        return false;
    return true;
  }

  /** What lay from one place to another is gone. */
  forget(from: number, to: number): void {
    for (const place of this.places(from, to)) this.frames.delete(place);
  }
}

function note(newest: number[], { entries, order }: Frame): void {
  for (const { n, full } of entries) if (full && order > (newest[n] ?? 0)) newest[n] = order;
}
