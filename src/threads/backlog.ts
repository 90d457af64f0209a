// How much waits to be received: in the sockets' buffers, as the kernel counts it, and in the rings. Looked at only after a
// batch that did not take everything. What follows from it is core/abuse/overload's. @hot

import type { Ring } from '../shard/rings/ring.ts';
import type { UdpReceiver } from '../transport/linux/linux-udp.ts';

/** The kernel's memory for a datagram of usual size, its own structures included. */
const SOCKET_BYTES = 2048;
/** A message of usual size in a ring. */
const RING_BYTES = 640;

export class Backlog {
  /** Messages that wait, about. */
  messages = 0;
  /** Part of the room that is taken, where it is narrowest: 0 to 1. */
  fill = 0;
  private readonly rings: readonly Ring[];
  private readonly receiver: UdpReceiver | null;

  constructor(rings: readonly Ring[], receiver: UdpReceiver | null) {
    this.rings = rings;
    this.receiver = receiver;
  }

  look(): void {
    const { rings, receiver } = this;
    this.messages = 0;
    this.fill = 0;
    for (let r = 0; r < rings.length; r++) this.add(rings[r].depth, rings[r].room, RING_BYTES);
    if (receiver === null) return;
    receiver.look();
    this.add(receiver.waiting, receiver.room, SOCKET_BYTES);
  }

  nothing(): void {
    this.messages = 0;
    this.fill = 0;
  }

  private add(bytes: number, room: number, messageBytes: number): void {
    this.messages += bytes / messageBytes;
    const fill = bytes / room;
    if (fill > this.fill) this.fill = fill;
  }
}
