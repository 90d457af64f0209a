// Recent changes of bindings, kept by each shard in a ring of shared memory, with or without listeners: the newest
// changes displace the oldest. This file has the layout of an entry and its writer; history-reader.ts reads, without
// asking the shard. Refreshes are left out unless configured, so that they cost nothing.
// @hot

import {
  callIdEnd,
  familyOf,
  ipAt,
  paramsEnd,
  portOf,
  transportOf,
  uriAt,
  uriEnd,
  userAgentEnd,
} from '../../core/binding/binding.ts';
import { CHANGE_EXPIRED, CHANGE_FLOW_ENDED, CHANGE_REFRESHED, type ChangeSink } from '../../core/binding/changes.ts';
import type { Exchange } from '../../core/uas/exchange.ts';
import { slab, table } from '../../sip/parser/slab.ts';
import { T_CALL_ID_AT, T_CALL_ID_END, T_CSEQ } from '../../sip/parser/span-table.ts';

// Control: words of 32 bits.
/** Bytes ever written, modulo 2^32. */
export const HISTORY_HEAD = 0;
/** Bytes ever given up: older entries are being overwritten. */
export const HISTORY_TAIL = 1;
export const HISTORY_CONTROL_BYTES = 64;

// An entry, all multiples of 8: u32 length; u8 kind, family, transport, listener; f64 time (epoch ms); the AOR's key; u32 CSeq,
// u16 port, u8 1 where the user is a userhash, u8 length of the AOR; u16 lengths of the texts; 16 bytes of address; the texts: contact,
// Call-ID, User-Agent, user; the AOR, where it is known.
export const ENTRY_KIND = 4;
export const ENTRY_FAMILY = 5;
export const ENTRY_TRANSPORT = 6;
export const ENTRY_LISTENER = 7;
export const ENTRY_AT = 8;
export const ENTRY_KEY = 16;
export const ENTRY_CSEQ = 32;
export const ENTRY_PORT = 36;
export const ENTRY_IS_HASH = 38;
export const ENTRY_AOR_LENGTH = 39;
export const ENTRY_LENGTHS = 40;
export const ENTRY_IP = 48;
export const ENTRY_TEXTS = 64;
/** Maximum bytes of a text; the rest is cut off. */
const TEXT_BYTES_MAX = 256;
/** The maximum of its one-byte length. */
const AOR_BYTES_MAX = 255;
export const ENTRY_BYTES_MAX = ENTRY_TEXTS + 4 * TEXT_BYTES_MAX + AOR_BYTES_MAX + 1;
/** Instead of an entry's length: the next entry is at the start. */
export const HISTORY_SKIP = 0xffffffff;

/** @param bytes are rounded up to a power of two. @cold */
export function createHistoryMemory(bytes: number): SharedArrayBuffer {
  let capacity = 16 << 10;
  while (capacity < bytes) capacity *= 2;
  return new SharedArrayBuffer(HISTORY_CONTROL_BYTES + capacity);
}

export class History implements ChangeSink {
  /** Whether refreshes are kept, too. */
  refreshes: boolean;
  private readonly exchange: Exchange;
  private readonly key: Uint32Array;
  private readonly control: Int32Array;
  private readonly bytes: Uint8Array;
  private readonly words: Uint32Array;
  private readonly capacity: number;
  private head: number;
  /** Entries of the current batch. */
  private pending = new Uint8Array(64 << 10);
  private view = new DataView(this.pending.buffer);
  private end = 0;
  /** Position of the current entry's next text. */
  private at = 0;

  /** @param key of the AOR that changes, at the time of a change */
  constructor(memory: SharedArrayBuffer, refreshes: boolean, exchange: Exchange, key: Uint32Array) {
    this.refreshes = refreshes;
    this.exchange = exchange;
    this.key = key;
    this.capacity = memory.byteLength - HISTORY_CONTROL_BYTES;
    this.control = new Int32Array(memory, 0, HISTORY_CONTROL_BYTES >> 2);
    this.bytes = new Uint8Array(memory, HISTORY_CONTROL_BYTES);
    this.words = new Uint32Array(memory, HISTORY_CONTROL_BYTES);
    this.head = Atomics.load(this.control, HISTORY_HEAD);
  }

  /** A change of the binding whose image is source[image], by the request in the table or by time. */
  add(
    kind: number,
    aor: Uint8Array,
    aorAt: number,
    aorEnd: number,
    source: Uint8Array,
    image: number,
    now: number,
  ): void {
    if (kind === CHANGE_REFRESHED && !this.refreshes) return;
    const entry = this.begin(kind, now);
    this.text(0, source, uriAt(source, image), uriEnd(source, image));
    if (kind === CHANGE_EXPIRED || kind === CHANGE_FLOW_ENDED) this.addMaker(entry, source, image);
    else this.addSource(entry, source, image);
    this.addAor(entry, aor, aorAt, aorEnd);
    this.finish(entry);
  }

  /** The only binding of the AOR has ended, without a read of its record. */
  gone(kind: number, now: number): void {
    this.finish(this.begin(kind, now));
  }

  /** Publishes the batch's changes after their commit. */
  publish(): void {
    this.write(this.pending, this.view, this.end);
  }

  /** The batch's changes, for `publishCopy` when they are committed later. @cold */
  copy(): Uint8Array {
    return this.pending.slice(0, this.end);
  }

  /** @cold */
  publishCopy(copy: Uint8Array): void {
    this.write(copy, new DataView(copy.buffer), copy.length);
  }

  private write(pending: Uint8Array, view: DataView, end: number): void {
    for (let at = 0; at < end; ) {
      const length = view.getUint32(at, true);
      const offset = this.claim(length);
      for (let i = 0; i < length; i++) this.bytes[offset + i] = pending[at + i];
      at += length;
      Atomics.store(this.control, HISTORY_HEAD, this.head);
    }
  }

  clear(): void {
    this.end = 0;
  }

  private begin(kind: number, now: number): number {
    if (this.end + ENTRY_BYTES_MAX > this.pending.length) this.grow();
    const { view, key, end } = this;
    this.pending.fill(0, end, end + ENTRY_TEXTS);
    view.setUint8(end + ENTRY_KIND, kind);
    view.setFloat64(end + ENTRY_AT, now, true);
    for (let i = 0; i < 4; i++) view.setUint32(end + ENTRY_KEY + 4 * i, key[i], true);
    this.at = end + ENTRY_TEXTS;
    return end;
  }

  private finish(entry: number): void {
    this.end = (this.at + 7) & ~7;
    this.view.setUint32(entry, this.end - entry, true);
  }

  /** Adds the cause: the request in the table. */
  private addSource(entry: number, source: Uint8Array, image: number): void {
    const { view, pending } = this;
    const { request, work } = this.exchange;
    const { peers, peer } = request;
    view.setUint32(entry + ENTRY_CSEQ, table[T_CSEQ], true);
    this.text(1, slab, table[T_CALL_ID_AT], table[T_CALL_ID_END]);
    this.text(2, source, callIdEnd(source, image), userAgentEnd(source, image));
    if (work.authenticated) this.text(3, work.user, 0, work.userLength);
    view.setUint8(entry + ENTRY_IS_HASH, work.userIsHash ? 1 : 0);
    view.setUint8(entry + ENTRY_FAMILY, peers.family[peer]);
    view.setUint8(entry + ENTRY_TRANSPORT, peers.transport[peer]);
    view.setUint8(entry + ENTRY_LISTENER, peers.listener[peer]);
    view.setUint16(entry + ENTRY_PORT, peers.port[peer], true);
    for (let i = 0; i < 16; i++) pending[entry + ENTRY_IP + i] = peers.ip[(peer << 4) + i];
  }

  /** Without a request: adds the source and names of the request that made the binding. */
  private addMaker(entry: number, source: Uint8Array, image: number): void {
    const { view, pending } = this;
    this.text(1, source, paramsEnd(source, image), callIdEnd(source, image));
    this.text(2, source, callIdEnd(source, image), userAgentEnd(source, image));
    view.setUint8(entry + ENTRY_FAMILY, familyOf(source, image));
    view.setUint8(entry + ENTRY_TRANSPORT, transportOf(source, image));
    view.setUint16(entry + ENTRY_PORT, portOf(source, image), true);
    for (let i = 0; i < 16; i++) pending[entry + ENTRY_IP + i] = source[ipAt(image) + i];
  }

  /** Adds the AOR. A longer one is left out: a cut name would be another AOR's. */
  private addAor(entry: number, aor: Uint8Array, from: number, to: number): void {
    const { pending, view } = this;
    const length = to - from <= AOR_BYTES_MAX ? to - from : 0;
    for (let i = 0; i < length; i++) pending[this.at + i] = aor[from + i];
    view.setUint8(entry + ENTRY_AOR_LENGTH, length);
    this.at += length;
  }

  private text(index: number, source: Uint8Array, from: number, to: number): void {
    const { pending } = this;
    const length = to - from < TEXT_BYTES_MAX ? to - from : TEXT_BYTES_MAX;
    for (let i = 0; i < length; i++) pending[this.at + i] = source[from + i];
    this.view.setUint16(this.end + ENTRY_LENGTHS + 2 * index, length, true);
    this.at += length;
  }

  /** Offset of `size` contiguous bytes, after giving up the old entries there; `head` is then behind them. */
  private claim(size: number): number {
    const { capacity, control, words } = this;
    const offset = this.head & (capacity - 1);
    const skipped = size <= capacity - offset ? 0 : capacity - offset;
    const head = (this.head + skipped + size) | 0;
    let tail = Atomics.load(control, HISTORY_TAIL);
    while (((head - tail) | 0) > capacity) {
      const length = words[(tail & (capacity - 1)) >> 2];
      tail = (tail + (length === HISTORY_SKIP ? capacity - (tail & (capacity - 1)) : length)) | 0;
    }
    Atomics.store(control, HISTORY_TAIL, tail);
    if (skipped > 0) words[offset >> 2] = HISTORY_SKIP;
    this.head = head;
    return skipped > 0 ? 0 : offset;
  }

  /** @cold */
  private grow(): void {
    const grown = new Uint8Array(this.pending.length * 2);
    grown.set(this.pending);
    this.pending = grown;
    this.view = new DataView(grown.buffer);
  }
}
