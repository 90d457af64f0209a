// From a shard to its neighbours and to the main thread: rings to push into, and bells to ring afterwards, once per
// batch and only for rings with a new entry.
// @hot

import type { Bell } from '../shard/rings/bell.ts';
import { RING_ANSWER, RING_MESSAGE, type Ring } from '../shard/rings/ring.ts';
import { slab, slotStart } from '../sip/parser/slab.ts';
import type { Peers } from '../sip/sources.ts';

export class Forwarding {
  private readonly rings: readonly (Ring | null)[];
  private readonly bells: readonly Bell[];
  private readonly touched: Uint8Array;
  private readonly toMain: Ring;
  private readonly mainBell: Bell;
  private mainTouched = false;

  /** @param rings one per shard, null for the shard itself */
  constructor(rings: readonly (Ring | null)[], bells: readonly Bell[], toMain: Ring, mainBell: Bell) {
    this.rings = rings;
    this.bells = bells;
    this.touched = new Uint8Array(rings.length);
    this.toMain = toMain;
    this.mainBell = mainBell;
  }

  /** Copies the message in a slot into its owner's ring; false where the ring is full. */
  toShard(owner: number, slot: number, length: number, peers: Peers): boolean {
    const ring = this.rings[owner];
    if (ring === null) return false;
    const at = slotStart(slot);
    if (!ring.push(RING_MESSAGE, slab, at, at + length, peers, slot, peers.port[slot])) return false;
    this.touched[owner] = 1;
    return true;
  }

  /** Copies an answer into the main thread's ring; false where the ring is full. */
  answerByMain(bytes: Uint8Array, at: number, end: number, peers: Peers, row: number, port: number): boolean {
    if (!this.toMain.push(RING_ANSWER, bytes, at, end, peers, row, port)) return false;
    this.mainTouched = true;
    return true;
  }

  /** Sends the main thread a notice about its connections; false where its ring is full. */
  tellMain(kind: number, bytes: Uint8Array, peers: Peers): boolean {
    if (!this.toMain.push(kind, bytes, 0, bytes.length, peers, 0, peers.port[0])) return false;
    this.mainTouched = true;
    return true;
  }

  ringBells(): void {
    for (let shard = 0; shard < this.touched.length; shard++) {
      if (this.touched[shard] === 0) continue;
      this.touched[shard] = 0;
      this.bells[shard].ring();
    }
    if (!this.mainTouched) return;
    this.mainTouched = false;
    this.mainBell.ring();
  }
}
