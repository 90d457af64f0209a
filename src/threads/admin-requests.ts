// Orders of the admin API to the shards: requests from no socket, over the main thread's rings; their answers are matched
// here. The shard that owns the AOR decides about them by the same rules as for phones.

import { parseIp } from '../sip/ip.ts';
import { createPeers, LISTENER_ADMIN, type Peers } from '../sip/sources.ts';

/** An answer comes after a commit. A later one was lost, or its shard is stuck. */
const ANSWER_MS = 5000;
const LOOPBACK = '127.0.0.1';

/** The source address of a binding made by an order. */
export interface OrderSource {
  readonly address: string;
  readonly port: number;
}

export class AdminRequests {
  private readonly push: (bytes: Uint8Array, peers: Peers) => void;
  private readonly peers = createPeers(1);
  private readonly number: DataView;
  private readonly waiting = new Map<number, (answer: Buffer | undefined) => void>();
  private last = 0;

  /** @param push hands a message to a shard; its peer is the one row of `peers` */
  constructor(push: (bytes: Uint8Array, peers: Peers) => void) {
    this.push = push;
    this.number = new DataView(this.peers.local.buffer);
    this.peers.listener[0] = LISTENER_ADMIN;
    this.peers.answeredByMain[0] = 1;
  }

  /** The answer to a SIP request; undefined where none came in time. */
  ask(request: Uint8Array, source: OrderSource): Promise<Buffer | undefined> {
    const { peers } = this;
    peers.ip.fill(0);
    const family = parseIp(source.address, peers.ip, 0);
    peers.family[0] = family > 0 ? family : parseIp(LOOPBACK, peers.ip, 0);
    peers.port[0] = source.port;
    this.last = (this.last + 1) >>> 0;
    const order = this.last;
    this.number.setUint32(0, order);
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.settle(order, undefined), ANSWER_MS);
      this.waiting.set(order, (answer) => {
        clearTimeout(timer);
        resolve(answer);
      });
      this.push(request, peers);
    });
  }

  /** Accepts the copy of an answer to an order. @param row of `peers` */
  answered(answer: Buffer, { local }: Peers, row = 0): void {
    this.settle(new DataView(local.buffer, local.byteOffset + (row << 4)).getUint32(0), answer);
  }

  private settle(order: number, answer: Buffer | undefined): void {
    const take = this.waiting.get(order);
    this.waiting.delete(order);
    take?.(answer);
  }
}
