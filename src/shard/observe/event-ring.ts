// Carries binding events from a shard to the main thread: a bounded ring in shared memory that the shard writes only while
// there are listeners. Events that do not fit are counted as lost; the shard never waits. core/binding/changes has the entry's content.
// @hot

import { type Changes, changeLength, setChangeSequence } from '../../core/binding/changes.ts';
import type { Bell } from '../rings/bell.ts';

/** Whether there are listeners: without any, changes are not collected. Read once per batch. */
export interface Listening {
  readonly listening: boolean;
}

/** For shards with a feed. */
export const ALWAYS_LISTENING: Listening = { listening: true };

/** Receiver of a shard's events. */
export interface EventSink extends Listening {
  /** Publishes committed changes. */
  publish(changes: Changes): void;
}

// Control: words of 32 bits, each of the two writers in cache lines of its own.
const HEAD = 0; // bytes ever written, modulo 2^32
const LOST = 2; // f64: entries that did not fit
const SEQUENCE = 4; // f64: entries ever made
const TAIL = 16; // bytes ever taken
const LISTENING = 17;
const CONTROL_BYTES = 128;
/** Instead of an entry's length: the next entry is at the start. */
const SKIP = 0xffffffff;

/** Holds some 10,000 events of usual size. */
const EVENT_RING_BYTES = 4 << 20;

/** @param bytes a power of two. @cold */
export function createEventMemory(bytes = EVENT_RING_BYTES): SharedArrayBuffer {
  return new SharedArrayBuffer(CONTROL_BYTES + bytes);
}

/** The shard's side. */
export class EventWriter implements EventSink {
  private readonly control: Int32Array;
  private readonly numbers: Float64Array;
  private readonly bytes: Uint8Array;
  private readonly words: Uint32Array;
  private readonly capacity: number;
  private readonly bell: Bell;
  private head: number;

  /** @param bell of the thread that reads */
  constructor(memory: SharedArrayBuffer, bell: Bell) {
    this.capacity = memory.byteLength - CONTROL_BYTES;
    this.control = new Int32Array(memory, 0, CONTROL_BYTES >> 2);
    this.numbers = new Float64Array(memory, 0, CONTROL_BYTES >> 3);
    this.bytes = new Uint8Array(memory, CONTROL_BYTES);
    this.words = new Uint32Array(memory, CONTROL_BYTES);
    this.bell = bell;
    this.head = Atomics.load(this.control, HEAD);
  }

  get listening(): boolean {
    return Atomics.load(this.control, LISTENING) !== 0;
  }

  publish(changes: Changes): void {
    const view = new DataView(changes.bytes.buffer);
    for (let at = 0; at < changes.end; ) {
      const length = changeLength(view, at);
      setChangeSequence(view, at, ++this.numbers[SEQUENCE >> 1]);
      const offset = this.claim(length);
      if (offset < 0) this.numbers[LOST >> 1]++;
      else this.bytes.set(changes.bytes.subarray(at, at + length), offset);
      at += length;
    }
    Atomics.store(this.control, HEAD, this.head);
    this.bell.ring();
  }

  /** Offset of `size` contiguous bytes, or -1; `head` is then behind them, unpublished. */
  private claim(size: number): number {
    const { capacity } = this;
    const offset = this.head & (capacity - 1);
    const toEnd = capacity - offset;
    const skipped = size <= toEnd ? 0 : toEnd;
    if (size + skipped > capacity - ((this.head - Atomics.load(this.control, TAIL)) | 0)) return -1;
    if (skipped > 0) this.words[offset >> 2] = SKIP;
    this.head = (this.head + skipped + size) | 0;
    return skipped > 0 ? 0 : offset;
  }
}

/** The listening thread's side. */
export class EventReader {
  private readonly control: Int32Array;
  private readonly numbers: Float64Array;
  private readonly view: DataView;
  private readonly capacity: number;
  private tail: number;

  constructor(memory: SharedArrayBuffer) {
    this.capacity = memory.byteLength - CONTROL_BYTES;
    this.control = new Int32Array(memory, 0, CONTROL_BYTES >> 2);
    this.numbers = new Float64Array(memory, 0, CONTROL_BYTES >> 3);
    this.view = new DataView(memory, CONTROL_BYTES);
    this.tail = Atomics.load(this.control, TAIL);
  }

  /** Events that did not fit into the ring since it was made. */
  get lost(): number {
    return this.numbers[LOST >> 1];
  }

  get empty(): boolean {
    return Atomics.load(this.control, HEAD) === this.tail;
  }

  /** Switches the shard's events on or off; earlier events are dropped. */
  listen(listening: boolean): void {
    if (listening) this.tail = Atomics.load(this.control, HEAD);
    Atomics.store(this.control, TAIL, this.tail);
    Atomics.store(this.control, LISTENING, listening ? 1 : 0);
  }

  /** A copy of the oldest entry, or undefined where there is none. */
  next(): Uint8Array | undefined {
    if (this.empty) return undefined;
    let offset = this.tail & (this.capacity - 1);
    let length = this.view.getUint32(offset, true);
    if (length === SKIP) {
      this.tail = (this.tail + this.capacity - offset) | 0;
      offset = 0;
      length = changeLength(this.view, 0);
    }
    const entry = new Uint8Array(this.view.buffer.slice(CONTROL_BYTES + offset, CONTROL_BYTES + offset + length));
    this.tail = (this.tail + length) | 0;
    Atomics.store(this.control, TAIL, this.tail);
    return entry;
  }
}
