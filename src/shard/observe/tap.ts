// The tap on a shard: copies of watched messages, received and sent, into a ring of their own, which
// the main thread empties. The main thread writes the watched names (a sample of all AORs, an AOR, a source) into shared memory.
// Never waits: copies that do not fit are counted. tap-reader.ts takes the copies.
// @hot

import type { BatchResponses } from '../../core/uas/batch-responses.ts';
import { MESSAGE_BYTES_MAX, SLOT_COUNT, slab } from '../../sip/parser/slab.ts';
import type { Peers } from '../../sip/sources.ts';
import type { OutgoingRequests } from '../outgoing/outgoing-requests.ts';
import { RING_TAP_RECEIVED, RING_TAP_SENT, type Ring } from '../rings/ring.ts';
import { COUNTER } from './counters.ts';

/** AORs and sources that can be watched by name at a time. */
export const TAP_AORS_MAX = 16;
export const TAP_SOURCES_MAX = 16;

// The control memory, words. Written by the main thread: TAP_ON last when it starts, first when it stops.
export const TAP_ON = 0;
/** Of 2^32: AORs whose key's second word is below it are in the sample; all of them where TAP_SAMPLE_ALL is 1. */
export const TAP_SAMPLE = 1;
export const TAP_SAMPLE_ALL = 2;
export const TAP_AORS = 3;
export const TAP_SOURCES = 4;
/** Number of the lists below: it changes with each change of them. */
export const TAP_LISTS = 5;
export const TAP_AOR_KEYS = 8;
export const TAP_SOURCE_IPS = TAP_AOR_KEYS + TAP_AORS_MAX * 4;
const TAP_WORDS = TAP_SOURCE_IPS + TAP_SOURCES_MAX * 4;

/**
 * Before each copy in the ring: epoch ms (f64), the reason for the copy (TAP_WHY_*, u8), the AOR and the source in the lists (u8
 * each, 0: none, else its position from 1 on), the number of the lists (u8), four unused bytes.
 */
export const TAP_PREFIX_BYTES = 16;
export const TAP_PREFIX_WHY = 8;
export const TAP_PREFIX_AOR = 9;
export const TAP_PREFIX_SOURCE = 10;
export const TAP_PREFIX_LISTS = 11;
export const TAP_WHY_SAMPLE = 1;
export const TAP_WHY_NAMED = 2;

/** Shared memory for the names that all shards watch. @cold */
export function createTapMemory(): SharedArrayBuffer {
  return new SharedArrayBuffer(TAP_WORDS * 4);
}

export class Tap {
  /** Whether anything is watched; read once per batch. */
  on = false;
  private readonly control: Int32Array;
  private readonly ring: Ring;
  private readonly counters: Float64Array;
  private readonly peers: Peers;
  /** Reasons for watching the message in a slot; 0 where it is not watched. */
  private readonly why = new Uint8Array(SLOT_COUNT);
  private readonly byAor = new Uint8Array(SLOT_COUNT);
  private readonly bySource = new Uint8Array(SLOT_COUNT);
  /** Of the current message: TAP_WHY_*, and its positions in the lists. */
  private reason = 0;
  private aor = 0;
  private source = 0;
  private readonly copy = new Uint8Array(TAP_PREFIX_BYTES + MESSAGE_BYTES_MAX);
  private readonly time = new Float64Array(this.copy.buffer, 0, 1);

  constructor(memory: SharedArrayBuffer, ring: Ring, counters: Float64Array, peers: Peers) {
    this.control = new Int32Array(memory);
    this.ring = ring;
    this.counters = counters;
    this.peers = peers;
  }

  /** Before the first message of a batch. */
  refresh(now: number): void {
    this.on = Atomics.load(this.control, TAP_ON) !== 0;
    if (!this.on) return;
    this.why.fill(0);
    this.time[0] = now;
  }

  /** Copies a message of the batch, for the AOR with this key, if it is watched. */
  received(slot: number, at: number, length: number, key: Uint32Array): void {
    const { peers } = this;
    const why = this.reasonsFor(peers, slot, key);
    this.why[slot] = why;
    this.byAor[slot] = this.aor;
    this.bySource[slot] = this.source;
    if (why !== 0) this.push(RING_TAP_RECEIVED, slab, at, at + length, peers, slot, peers.port[slot]);
  }

  /** Copies the answers of the batch, which are final by now. */
  answered(answers: BatchResponses): void {
    for (let row = 0; row < answers.count; row++) {
      const slot = answers.slot[row];
      if (this.why[slot] === 0) continue;
      this.reason = this.why[slot];
      this.aor = this.byAor[slot];
      this.source = this.bySource[slot];
      const { bytes, at, end, port } = answers;
      this.push(RING_TAP_SENT, bytes, at[row], end[row], this.peers, slot, port[row]);
    }
  }

  /** Copies requests of the shard's own, whose batch may have had no message. */
  sent({ count, bytes, at, end, port, peers, keys }: OutgoingRequests, now: number): void {
    if (Atomics.load(this.control, TAP_ON) === 0) return;
    this.time[0] = now;
    for (let row = 0; row < count; row++)
      if (this.reasonsFor(peers, row, keys[row]) !== 0)
        this.push(RING_TAP_SENT, bytes, at[row], end[row], peers, row, port[row]);
  }

  /** Reasons for watching a message: TAP_WHY_* bits, 0 where it is not watched. */
  private reasonsFor(peers: Peers, row: number, key: Uint32Array): number {
    this.aor = this.namedAor(key);
    this.source = this.namedSource(peers, row);
    this.reason = (this.isSampled(key) ? TAP_WHY_SAMPLE : 0) | (this.aor + this.source > 0 ? TAP_WHY_NAMED : 0);
    return this.reason;
  }

  private push(
    kind: number,
    bytes: Uint8Array,
    at: number,
    end: number,
    peers: Peers,
    row: number,
    port: number,
  ): void {
    const { copy } = this;
    if (end - at > MESSAGE_BYTES_MAX) {
      this.counters[COUNTER.tap_dropped]++;
      return;
    }
    copy[TAP_PREFIX_WHY] = this.reason;
    copy[TAP_PREFIX_AOR] = this.aor;
    copy[TAP_PREFIX_SOURCE] = this.source;
    copy[TAP_PREFIX_LISTS] = this.control[TAP_LISTS];
    copy.set(bytes.subarray(at, end), TAP_PREFIX_BYTES);
    const sent = this.ring.push(kind, copy, 0, TAP_PREFIX_BYTES + end - at, peers, row, port);
    this.counters[sent ? COUNTER.tapped : COUNTER.tap_dropped]++;
  }

  /** By AOR, so that every message of a sampled AOR is copied. */
  private isSampled(key: Uint32Array): boolean {
    return this.control[TAP_SAMPLE_ALL] === 1 || key[1] < this.control[TAP_SAMPLE] >>> 0;
  }

  /** Its position in the list from 1 on; 0: it is not in the list. */
  private namedAor(key: Uint32Array): number {
    const { control } = this;
    const aors = control[TAP_AORS];
    for (let i = 0, at = TAP_AOR_KEYS; i < aors; i++, at += 4)
      if (
        control[at] === (key[0] | 0) &&
        control[at + 1] === (key[1] | 0) &&
        control[at + 2] === (key[2] | 0) &&
        control[at + 3] === (key[3] | 0)
      )
        return i + 1;
    return 0;
  }

  private namedSource({ ip, family }: Peers, row: number): number {
    const { control } = this;
    const sources = control[TAP_SOURCES];
    const words = family[row] === 4 ? 1 : 4;
    for (let i = 0, at = TAP_SOURCE_IPS; i < sources; i++, at += 4) {
      let same = true;
      for (let w = 0; w < words && same; w++) same = control[at + w] === wordAt(ip, (row << 4) + (w << 2));
      if (same) return i + 1;
    }
    return 0;
  }
}

/** Four bytes as the main thread wrote them: in the machine's order, which is little-endian. */
function wordAt(bytes: Uint8Array, at: number): number {
  return bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24);
}
