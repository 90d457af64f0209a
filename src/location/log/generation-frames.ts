// The frames of one generation in memory: sound frames, damaged frames, and records whose frame's header is lost.

import { openRecord } from '../record.ts';
import { readAround } from './around.ts';
import type { Log } from './log.ts';
import {
  claimedChecksum,
  entrySalt,
  FRAME_HEADER_BYTES,
  frameLength,
  isRecordEntrySound,
  NO_FRAME,
  previousFrame,
  RECORD_ENTRY_BYTES,
  recordFrame,
  recordLength,
} from './log-frame.ts';

/** Part of a generation's empty end that is searched for lost records at a time. */
const PIECE_BYTES = 1 << 20;

/** Bytes from the first frame on. The usual length of a generation: the system allocates pages as they are filled. */
const BYTES = 2 ** 26;

/** A frame, or the rest of a damaged one. */
export interface FrameRead {
  readonly address: number;
  readonly place: number;
  readonly length: number;
  /** Where it begins in `bytes`. */
  readonly at: number;
  /** Its checksum is right; otherwise its entries must be checked one by one. */
  readonly sound: boolean;
  /** It has a header: false for records found without one. */
  readonly whole: boolean;
}

export class GenerationFrames {
  /** In the order of addresses. */
  readonly frames: FrameRead[] = [];
  /** Places of pieces that cannot be read. */
  readonly unreadable: number[] = [];
  bytes = new Uint8Array(new ArrayBuffer(0));
  words = new Uint32Array(this.bytes.buffer);
  private readonly log: Log;
  private end = 0;

  constructor(log: Log) {
    this.log = log;
  }

  read(generation: number): void {
    const { log, frames } = this;
    frames.length = 0;
    this.unreadable.length = 0;
    this.end = 0;
    const start = generation * log.generationBytes;
    const unreadable = (place: number) => {
      if (!this.unreadable.includes(place)) this.unreadable.push(place);
    };
    for (let found = log.find(start, unreadable); found !== null; ) {
      const { address, place } = found;
      const isHere = Math.floor(address / log.generationBytes) === generation;
      const sound = isHere && this.readFrame(address, place, found.length);
      if (sound) this.keep(address, place, found.length, true);
      const next = log.find(sound ? place + found.length : place + 8, unreadable);
      if (isHere && !sound)
        this.readUnsound(address, place, Math.min(found.length, (next?.place ?? place + found.length) - place));
      found = next;
    }
    this.sort();
  }

  /** Checksum that a frame's header names. */
  checksumOf({ at, whole }: FrameRead): number {
    return whole ? claimedChecksum(this.words, at >> 2) : 0;
  }

  /** Salt of a frame's entries; 0 if its header is lost. */
  saltOf({ at, whole }: FrameRead): number {
    return whole ? entrySalt(this.words, at >> 2) : 0;
  }

  /** Address of the frame before, as a frame's header names it; -1: unknown. */
  previousOf({ at, sound }: FrameRead): number {
    return sound ? previousFrame(this.words, at >> 2) : -1;
  }

  /** Adds records between the frames: their frames' headers are lost. */
  findLostRecords(generation: number): void {
    const { log } = this;
    const start = generation * log.generationBytes;
    const known = [...this.frames].sort((a, b) => a.place - b.place);
    // Pages of the tree may contain bytes of sound frames, too.
    const sound = new Set(this.frames.filter((frame) => frame.sound).map(({ address }) => address));
    let from = start;
    for (const { place, length } of known) {
      this.searchRecords(from, place, start, sound);
      from = Math.max(from, place + length);
    }
    this.searchRecords(from, start + log.generationBytes, start, sound);
    this.sort();
  }

  private searchRecords(from: number, end: number, start: number, known: ReadonlySet<number>): void {
    for (let at = Math.ceil(from / 8) * 8; at + RECORD_ENTRY_BYTES < end; ) {
      const size = Math.min(end - at, PIECE_BYTES);
      this.ensure(this.end + size);
      const got = readAround(this.log, at, this.bytes, this.end, size) & ~7;
      if (got < RECORD_ENTRY_BYTES) return;
      const searched = this.searchPiece(at, got, start, known);
      if (got < size || at + got >= end) return;
      at += searched;
    }
  }

  /** Searches the bytes at `this.end`; returns how many of them need no second search. */
  private searchPiece(place: number, length: number, start: number, known: ReadonlySet<number>): number {
    const base = this.end;
    const endWord = (base + length) >> 2;
    let at = 0;
    while (at + RECORD_ENTRY_BYTES <= length) {
      const w = (base + at) >> 2;
      if (!isRecordEntrySound(this.words, w, endWord)) {
        at += 8;
        continue;
      }
      const bytes = RECORD_ENTRY_BYTES + ((recordLength(this.words, w) + 7) & ~7);
      const address = recordFrame(this.words, w, start);
      const isHere = Math.floor(address / this.log.generationBytes) * this.log.generationBytes === start;
      if (isHere && !known.has(address) && this.isRecordSound(base + at)) {
        this.bytes.copyWithin(this.end, base + at, base + at + bytes);
        this.frames.push({ address, place: place + at, length: bytes, at: this.end, sound: false, whole: false });
        this.end += bytes;
      }
      at += bytes;
    }
    return Math.max(at, Math.min(length, PIECE_BYTES >> 1));
  }

  private isRecordSound(at: number): boolean {
    const from = at + RECORD_ENTRY_BYTES;
    return openRecord(this.bytes, from, from + recordLength(this.words, at >> 2));
  }

  /** Reads a frame after the frames read so far; returns whether it is sound. */
  private readFrame(address: number, place: number, length: number): boolean {
    if (length > this.log.generationBytes) return false;
    this.ensure(this.end + length);
    const got = readAround(this.log, place, this.bytes, this.end, length);
    return (
      got >= length &&
      frameLength(this.bytes, this.words, this.end >> 2, (this.end + length) >> 2, address) !== NO_FRAME
    );
  }

  private readUnsound(address: number, place: number, length: number): void {
    const { generationBytes } = this.log;
    const size = Math.min(length, generationBytes - (place % generationBytes)) & ~7;
    if (size < FRAME_HEADER_BYTES) return;
    this.ensure(this.end + size);
    this.bytes.fill(0, this.end, this.end + size);
    readAround(this.log, place, this.bytes, this.end, size);
    this.keep(address, place, size, false);
  }

  private keep(address: number, place: number, length: number, sound: boolean): void {
    this.frames.push({ address, place, length, at: this.end, sound, whole: true });
    this.end += length;
  }

  private sort(): void {
    this.frames.sort((a, b) => a.address - b.address || a.place - b.place);
  }

  private ensure(size: number): void {
    if (size <= this.bytes.length) return;
    const least = this.end === 0 ? Math.min(BYTES, this.log.generationBytes) : this.bytes.length * 2;
    const grown = new Uint8Array(new ArrayBuffer(Math.max(least, (size + 7) & ~7)));
    grown.set(this.bytes.subarray(0, this.end));
    this.bytes = grown;
    this.words = new Uint32Array(grown.buffer);
  }
}
