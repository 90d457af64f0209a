// From a shard's thread to the cluster's thread: requests for another node to decide about, and answers to requests from other nodes.
// A request for a shard without an owner is handed over, too, and waits there.
// @hot

import type { ShardTable } from '../../cluster/shard-table.ts';
import type { Bell } from '../../shard/rings/bell.ts';
import { RING_ANSWER, RING_MESSAGE, type Ring } from '../../shard/rings/ring.ts';
import { slab, slotStart } from '../../sip/parser/slab.ts';
import { NODE_NO_WAY, type Peers, VIA_CLUSTER_TWICE } from '../../sip/sources.ts';
import { SHARD_BYTES } from './request-forwarder.ts';

export class Away {
  private readonly table: ShardTable;
  private readonly ring: Ring;
  private readonly bell: Bell;
  private isTouched = false;

  constructor(table: ShardTable, ring: Ring, bell: Bell) {
    this.table = table;
    this.ring = ring;
    this.bell = bell;
  }

  /** Hands over the message in a slot if another node decides about its shard; false where it stays here. */
  handOver(shard: number, slot: number, length: number, peers: Peers): boolean {
    if (this.table.isOwner(shard) || peers.node[slot] === NODE_NO_WAY) return false;
    if ((peers.answeredByMain[slot] & VIA_CLUSTER_TWICE) !== 0) return false;
    const at = slotStart(slot);
    const end = at + length;
    // A slot is longer than the longest message.
    slab[end] = shard;
    slab[end + 1] = shard >>> 8;
    if (!this.ring.push(RING_MESSAGE, slab, at, end + SHARD_BYTES, peers, slot, peers.port[slot])) return false;
    this.isTouched = true;
    return true;
  }

  /** Hands over an answer; false where the ring is full. */
  answer(bytes: Uint8Array, at: number, end: number, peers: Peers, row: number, port: number): boolean {
    if (!this.ring.push(RING_ANSWER, bytes, at, end, peers, row, port)) return false;
    this.isTouched = true;
    return true;
  }

  ringBell(): void {
    if (!this.isTouched) return;
    this.isTouched = false;
    this.bell.ring();
  }
}
