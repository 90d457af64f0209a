// Requests that a shard sends by itself, a row each, beside the answers of its batch: their places and destinations. Filled by the
// shard once its batch is committed, emptied by the sender of its answers.

import { ANSWERED_BY_MAIN, copyPeer, createPeers, type Peers, TRANSPORT_TCP } from '../../sip/sources.ts';
import { LargeRequests, nameTransport } from './large-requests.ts';

/** Maximum of one batch. */
export const REQUESTS_MAX = 64;
const BYTES = 1 << 20;

export class OutgoingRequests {
  count = 0;
  /** The bytes that `at` and `end` index; empty before the first request, and fixed from then on. */
  bytes = new Uint8Array(0);
  readonly at = new Int32Array(REQUESTS_MAX);
  readonly end = new Int32Array(REQUESTS_MAX);
  /** Row of `peers`. */
  readonly slot = Uint16Array.from({ length: REQUESTS_MAX }, (_, row) => row);
  readonly port = new Uint16Array(REQUESTS_MAX);
  readonly peers: Peers = createPeers(REQUESTS_MAX);
  /** Keys of their AORs: four words each. */
  readonly keys: Uint32Array[] = [];
  readonly large: LargeRequests;
  private filled = 0;

  /** @param opensTcp whether the main thread opens connections for large ones */
  constructor(opensTcp = false) {
    this.large = new LargeRequests(opensTcp);
  }

  get isFull(): boolean {
    return this.count === REQUESTS_MAX;
  }

  /** Adds a request for the peer in a row, about the AOR of a key; false where it exceeds the free space. */
  add(request: Uint8Array, peers: Peers, row: number, key: Uint32Array, now: number): boolean {
    const at = this.room(request.length);
    if (at < 0) return false;
    this.bytes.set(request, at);
    this.put(request.length, peers, row, key, now);
    return true;
  }

  /** Offset in `bytes` at which a request of at most `length` bytes can be written, for `put`; -1: no space. */
  room(length: number): number {
    if (this.bytes.length === 0) this.bytes = new Uint8Array(new ArrayBuffer(BYTES));
    return this.isFull || this.filled + length > BYTES ? -1 : this.filled;
  }

  /** Adds the request of this length written there, for the peer in a row, about the AOR of a key. */
  put(length: number, peers: Peers, row: number, key: Uint32Array, now: number): void {
    const { count } = this;
    this.at[count] = this.filled;
    this.end[count] = this.filled + length;
    this.port[count] = peers.port[row];
    copyPeer(peers, row, this.peers, count);
    if (this.keys.length === count) this.keys.push(new Uint32Array(4));
    if (this.large.takes(length, peers, row, now)) this.byTcp(count);
    for (let i = 0; i < 4; i++) this.keys[count][i] = key[i];
    this.filled += length;
    this.count++;
  }

  /** The main thread opens or finds a connection: the row names none. */
  private byTcp(row: number): void {
    nameTransport(this.bytes, this.at[row], true);
    this.peers.transport[row] = TRANSPORT_TCP;
    this.peers.answeredByMain[row] = ANSWERED_BY_MAIN;
  }

  clear(): void {
    this.count = 0;
    this.filled = 0;
  }
}
