// Answers of other nodes that leave by this node's sockets: a shard's thread takes them from the cluster's thread and
// sends them.
// @hot

import type { Ring } from '../../shard/rings/ring.ts';
import { MESSAGE_BYTES_MAX, SLOT_COUNT } from '../../sip/parser/slab.ts';
import { createPeers, type Peers, TRANSPORT_TCP } from '../../sip/sources.ts';
import type { TcpConnections } from '../../transport/linux/linux-tcp.ts';
import type { Datagrams } from '../../transport/linux/linux-udp.ts';
import type { UdpSender } from '../../transport/linux/udp-sender.ts';
import type { Forwarding } from '../forwarding.ts';

const BYTES = 512 << 10;

/** Answers sent at a time. */
class Batch implements Datagrams {
  count = 0;
  readonly bytes = new Uint8Array(new ArrayBuffer(BYTES));
  readonly at = new Int32Array(SLOT_COUNT);
  readonly end = new Int32Array(SLOT_COUNT);
  readonly slot = new Uint16Array(SLOT_COUNT);
  readonly port = new Uint16Array(SLOT_COUNT);
}

export class Relay {
  readonly ring: Ring;
  private readonly batch = new Batch();
  private readonly peers: Peers = createPeers();
  private readonly forwarding: Forwarding;
  private readonly udp: UdpSender | null;
  private readonly tcp: TcpConnections | null;

  /** @param udp makes a sender for rows of the relay's own */
  constructor(ring: Ring, forwarding: Forwarding, udp: (peers: Peers) => UdpSender | null, tcp: TcpConnections | null) {
    this.ring = ring;
    this.forwarding = forwarding;
    this.udp = udp(this.peers);
    this.tcp = tcp;
  }

  /** Sends a batch of the waiting answers at most; returns how many could not be sent. */
  send(): number {
    if (this.ring.empty) return 0;
    const { batch, peers, ring } = this;
    batch.count = 0;
    for (let at = 0; batch.count < SLOT_COUNT && at + MESSAGE_BYTES_MAX <= BYTES; ) {
      const row = batch.count;
      const length = ring.pop(batch.bytes, at, peers, row);
      if (length < 0) break;
      batch.at[row] = at;
      at += length;
      batch.end[row] = at;
      batch.slot[row] = row;
      batch.port[row] = peers.port[row];
      batch.count++;
    }
    return this.leave();
  }

  private leave(): number {
    const { batch, peers, forwarding } = this;
    let dropped = 0;
    let byMain = 0;
    let byTcp = 0;
    for (let row = 0; row < batch.count; row++) {
      if (peers.answeredByMain[row] !== 0) {
        byMain++;
        const { bytes, at, end, port } = batch;
        if (!forwarding.answerByMain(bytes, at[row], end[row], peers, row, port[row])) dropped++;
      } else if (peers.transport[row] === TRANSPORT_TCP) byTcp++;
    }
    if (byMain > 0) forwarding.ringBells();
    if (byTcp > 0) dropped += this.tcp === null ? byTcp : this.tcp.send(batch, peers);
    const byUdp = batch.count - byMain - byTcp;
    if (byUdp > 0) dropped += this.udp === null ? byUdp : this.udp.send(batch);
    return dropped;
  }
}
