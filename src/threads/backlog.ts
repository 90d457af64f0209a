// Messages waiting for a shard's thread: in the sockets' buffers, by the kernel's count, and in the rings. Counted only after
// a full batch. core/abuse/overload draws the consequences. @hot

import type { Backlog } from '../shard/batch.ts';
import type { Ring } from '../shard/rings/ring.ts';
import { SLOT_COUNT } from '../sip/parser/slab.ts';
import type { UdpReceiver } from '../transport/linux/linux-udp.ts';

/** The kernel's memory for a datagram of usual size, its own structures included. */
const SOCKET_BYTES = 2048;
/** A message of usual size in a ring. */
const RING_BYTES = 640;

export class QueuedMessages implements Backlog {
  fill = 0;
  /** Messages that wait, an estimate. */
  private messages = 0;
  private readonly rings: readonly Ring[];
  private readonly receiver: UdpReceiver | null;

  constructor(rings: readonly Ring[], receiver: UdpReceiver | null) {
    this.rings = rings;
    this.receiver = receiver;
  }

  waitMs(batch: number, isFull: boolean, usualMs: number): number {
    this.messages = 0;
    this.fill = 0;
    if (isFull) this.count();
    // Where answers wait for the store, few slots were free.
    return (this.messages * usualMs) / Math.max(batch, SLOT_COUNT / 2);
  }

  private count(): void {
    const { rings, receiver } = this;
    for (let r = 0; r < rings.length; r++) this.add(rings[r].depth, rings[r].capacity, RING_BYTES);
    if (receiver === null) return;
    receiver.look();
    this.add(receiver.waiting, receiver.capacity, SOCKET_BYTES);
  }

  private add(bytes: number, capacity: number, messageBytes: number): void {
    this.messages += bytes / messageBytes;
    const fill = bytes / capacity;
    if (fill > this.fill) this.fill = fill;
  }
}
