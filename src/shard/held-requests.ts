// Requests that cannot be decided while the shard waits for its stream: they are kept, and received anew afterwards. Clients do
// not repeat requests over connections; over UDP this answers sooner than the phone's next repetition. Bounded; without a cluster no
// request is held.

import { SLOT_COUNT, slab, slotStart } from '../sip/parser/slab.ts';
import { copyPeer, createPeers, type Peers, TRANSPORT_UDP } from '../sip/sources.ts';

const REQUESTS_MAX = 1024;
const BYTES_MAX = 4 << 20;
/** Beyond this number only requests over connections are kept. */
const DATAGRAMS_AMONG = REQUESTS_MAX / 2;

export class HeldRequests {
  count = 0;
  private bytes = 0;
  private first = 0;
  private readonly rows = createPeers(REQUESTS_MAX);
  private readonly messages: Uint8Array[] = [];

  /** Keeps the message in a slot; false where the capacity is used up. */
  keep(slot: number, length: number, peers: Peers): boolean {
    const most = peers.transport[slot] === TRANSPORT_UDP ? DATAGRAMS_AMONG : REQUESTS_MAX;
    if (this.count >= most || this.bytes + length > BYTES_MAX) return false;
    const row = (this.first + this.count++) % REQUESTS_MAX;
    const at = slotStart(slot);
    this.messages[row] = slab.slice(at, at + length);
    this.bytes += length;
    copyPeer(peers, slot, this.rows, row);
    return true;
  }

  /** Puts the oldest into the slots from `first` on, as many as fit; returns the first free slot. */
  restore(lengths: Int32Array, first: number, peers: Peers): number {
    let slot = first;
    for (; slot < SLOT_COUNT && this.count > 0; slot++) {
      const row = this.first;
      const message = this.messages[row];
      slab.set(message, slotStart(slot));
      lengths[slot] = message.length;
      copyPeer(this.rows, row, peers, slot);
      this.messages[row] = NOTHING;
      this.bytes -= message.length;
      this.first = (row + 1) % REQUESTS_MAX;
      this.count--;
    }
    return slot;
  }
}

const NOTHING = new Uint8Array(0);
