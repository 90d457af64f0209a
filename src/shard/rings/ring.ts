// A ring of messages in shared memory: one thread writes, one reads, without locks. Entries are a header with the peer's
// row and the message's bytes behind it, never split. bell.ts wakes the reader.
// @hot

import type { Peers } from '../../sip/sources.ts';

/** A request, for the thread that owns its AOR. */
export const RING_MESSAGE = 1;
/** An answer, for the main thread to send. */
export const RING_ANSWER = 2;
/** Closed flows, for shards: a list of tokens, four bytes each, the lowest first. */
export const RING_FLOWS_ENDED = 3;
/** A connection that a shard has accepted, for the main thread: its descriptor, four bytes; the peer in its row. */
export const RING_ACCEPTED = 4;
/** News of connections from shards: pairs of a token and a FLOW_*, four bytes each. */
export const RING_FLOW_NEWS = 5;
/** A request that has waited for its user without a result: for the thread that owns its AOR. */
export const RING_UNTOLD = 6;
/** A node of the cluster is gone or has restarted: records are searched for its connections. */
export const RING_NODE_GONE = 7;
/** A lookup that has waited for devices to wake: for the thread that owns its AOR. */
export const RING_WAITED = 8;
/** A request of a shard's own that found no connection to its peer: back to that shard. */
export const RING_NOT_SENT = 9;
/** Copies for the tap (tap.ts). */
export const RING_TAP_RECEIVED = 14;
export const RING_TAP_SENT = 15;

const CONTROL_BYTES = 128;
const HEAD = 0; // bytes ever published, modulo 2^32
const TAIL = 16; // bytes ever taken; in a cache line of its own
const HEADER_BYTES = 48;
const SKIP = -1;

// Header: i32 length; u8 kind, transport, listener, family; u8 answeredByMain, node; u16 port; u32 flow; u8 ip[16]; u8 local[16]
const H_KIND = 4;
const H_TRANSPORT = 5;
const H_LISTENER = 6;
const H_FAMILY = 7;
const H_ANSWERED_BY_MAIN = 8;
const H_NODE = 9;
const H_PORT = 10;
const H_FLOW = 12;
const H_IP = 16;
const H_LOCAL = 32;

/**
 * Shared memory for a ring. @cold
 * @param bytes a power of two, at least 262,144: the largest message and its header fit at any position
 */
export function createRingMemory(bytes: number): SharedArrayBuffer {
  if (bytes < 1 << 18 || bytes > 1 << 30 || (bytes & (bytes - 1)) !== 0)
    throw new RangeError(`no ring of ${bytes} bytes`);
  return new SharedArrayBuffer(CONTROL_BYTES + bytes);
}

/** Bytes a ring can hold. @cold */
export function ringCapacity(memory: SharedArrayBuffer): number {
  return memory.byteLength - CONTROL_BYTES;
}

/** Bytes waiting in a ring, for any thread. @cold */
export function ringDepth(memory: SharedArrayBuffer): number {
  const control = new Int32Array(memory, 0, CONTROL_BYTES >> 2);
  const tail = Atomics.load(control, TAIL); // first: the reader can only move it towards the head
  return (Atomics.load(control, HEAD) - tail) | 0;
}

/** One side of a ring. Each of the two threads makes its own over the same memory, and only ever pushes or only ever pops. */
export class Ring {
  /** RING_* of the entry last popped. */
  kind = 0;
  private readonly control: Int32Array;
  private readonly words: Int32Array;
  private readonly bytes: Uint8Array;
  /** Maximum bytes of its entries. */
  readonly capacity: number;
  private head: number;
  private tail: number;

  constructor(memory: SharedArrayBuffer) {
    this.capacity = memory.byteLength - CONTROL_BYTES;
    this.control = new Int32Array(memory, 0, CONTROL_BYTES >> 2);
    this.words = new Int32Array(memory, CONTROL_BYTES);
    this.bytes = new Uint8Array(memory, CONTROL_BYTES);
    this.head = Atomics.load(this.control, HEAD);
    this.tail = Atomics.load(this.control, TAIL);
  }

  /** Bytes waiting. */
  get depth(): number {
    return (Atomics.load(this.control, HEAD) - Atomics.load(this.control, TAIL)) | 0;
  }

  /** For the reader: whether the ring is empty. */
  get empty(): boolean {
    return Atomics.load(this.control, HEAD) === this.tail;
  }

  /** Publishes bytes[at, end) from the peer in `row`; false where the ring is full. `port` replaces the row's port. */
  push(kind: number, bytes: Uint8Array, at: number, end: number, peers: Peers, row: number, port: number): boolean {
    const length = end - at;
    const offset = this.claim(HEADER_BYTES + ((length + 7) & ~7));
    if (offset < 0) return false;
    const ring = this.bytes;
    this.words[offset >> 2] = length;
    ring[offset + H_KIND] = kind;
    ring[offset + H_TRANSPORT] = peers.transport[row];
    ring[offset + H_LISTENER] = peers.listener[row];
    ring[offset + H_FAMILY] = peers.family[row];
    ring[offset + H_ANSWERED_BY_MAIN] = peers.answeredByMain[row];
    ring[offset + H_NODE] = peers.node[row];
    ring[offset + H_PORT] = port & 255;
    ring[offset + H_PORT + 1] = port >>> 8;
    this.words[(offset + H_FLOW) >> 2] = peers.flow[row];
    const ip = row << 4;
    for (let i = 0; i < 16; i++) {
      ring[offset + H_IP + i] = peers.ip[ip + i];
      ring[offset + H_LOCAL + i] = peers.local[ip + i];
    }
    // A view per message: for a REGISTER's length its copy is ten times quicker than a loop.
    ring.set(bytes.subarray(at, end), offset + HEADER_BYTES);
    Atomics.store(this.control, HEAD, this.head);
    return true;
  }

  /** Takes the oldest entry to into[at, …) and `row` of `peers`; returns its length in bytes, or -1 for an empty ring. */
  pop(into: Uint8Array, at: number, peers: Peers, row: number): number {
    if (this.empty) return -1;
    let offset = this.tail & (this.capacity - 1);
    let length = this.words[offset >> 2];
    if (length === SKIP) {
      this.tail = (this.tail + this.capacity - offset) | 0;
      offset = 0;
      length = this.words[0];
    }
    const ring = this.bytes;
    this.kind = ring[offset + H_KIND];
    peers.transport[row] = ring[offset + H_TRANSPORT];
    peers.listener[row] = ring[offset + H_LISTENER];
    peers.family[row] = ring[offset + H_FAMILY];
    peers.answeredByMain[row] = ring[offset + H_ANSWERED_BY_MAIN];
    peers.node[row] = ring[offset + H_NODE];
    peers.port[row] = ring[offset + H_PORT] | (ring[offset + H_PORT + 1] << 8);
    peers.flow[row] = this.words[(offset + H_FLOW) >> 2];
    const ip = row << 4;
    for (let i = 0; i < 16; i++) {
      peers.ip[ip + i] = ring[offset + H_IP + i];
      peers.local[ip + i] = ring[offset + H_LOCAL + i];
    }
    into.set(ring.subarray(offset + HEADER_BYTES, offset + HEADER_BYTES + length), at);
    // Removed before it is processed: the shard's next life does not meet a message that has killed it.
    this.tail = (this.tail + HEADER_BYTES + ((length + 7) & ~7)) | 0;
    Atomics.store(this.control, TAIL, this.tail);
    return length;
  }

  /** Offset of `size` contiguous bytes, or -1; `head` is then behind them, unpublished. */
  private claim(size: number): number {
    const offset = this.head & (this.capacity - 1);
    const toEnd = this.capacity - offset;
    const skipped = size <= toEnd ? 0 : toEnd;
    if (size + skipped > this.capacity - ((this.head - this.tail) | 0)) {
      this.tail = Atomics.load(this.control, TAIL);
      if (size + skipped > this.capacity - ((this.head - this.tail) | 0)) return -1;
    }
    if (skipped > 0) this.words[offset >> 2] = SKIP;
    this.head = (this.head + skipped + size) | 0;
    return skipped > 0 ? 0 : offset;
  }
}
