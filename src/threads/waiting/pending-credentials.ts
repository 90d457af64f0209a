// Messages whose user's credentials are being fetched: a shard hands them to the main thread, which keeps them until the
// provider has answered, and puts them into the shard's ring again. Bounded; rare, so plain code.

import type { Authenticator } from '../../core/auth/authenticator.ts';
import type { TokenOffer } from '../../core/auth/bearer.ts';
import { slab, slotStart } from '../../sip/parser/slab.ts';
import { createPeers, type Peers } from '../../sip/sources.ts';

/** Messages that may wait, by shard. */
const WAITING_MAX = 1024;

/** Present where access tokens are accepted. */
export interface TokenTask {
  readonly offer: TokenOffer;
  /** State of the provider that verifies them (PROVIDER_*). */
  readonly state: Int32Array;
}

export interface WaitingMessage {
  readonly user: string;
  readonly realm: string;
  /** Access token whose name is `user`. */
  readonly token?: string;
  readonly bytes: Uint8Array;
  /** One row: the message's source. */
  readonly peers: Peers;
}

/** Memory for the number of waiting messages, shared by a shard and the main thread. */
export function createWaitingMemory(): SharedArrayBuffer {
  return new SharedArrayBuffer(4);
}

/** A shard's side of messages that wait for credentials. */
export class PendingCredentials {
  private readonly count: Int32Array;
  private readonly tell: (message: WaitingMessage) => void;

  constructor(memory: SharedArrayBuffer, tell: (message: WaitingMessage) => void) {
    this.count = new Int32Array(memory);
    this.tell = tell;
  }

  /** Has the message in a slot wait for the user that its authentication asked for; false where too many messages wait. */
  enter(slot: number, length: number, peers: Peers, authenticator: Authenticator): boolean {
    if (Atomics.load(this.count, 0) >= WAITING_MAX) return false;
    Atomics.add(this.count, 0, 1);
    const bytes = slab.slice(slotStart(slot), slotStart(slot) + length);
    this.tell({ ...authenticator.waitingFor(), bytes, peers: rowOf(peers, slot) });
    return true;
  }
}

/** The main thread has released one. */
export function endWaiting(memory: SharedArrayBuffer): void {
  Atomics.sub(new Int32Array(memory), 0, 1);
}

/** A copy of a row, on its own. */
export function rowOf(peers: Peers, row: number): Peers {
  const one = createPeers(1);
  for (const column of Object.keys(one) as (keyof Peers)[]) {
    const width = one[column].length;
    one[column].set(peers[column].subarray(row * width, (row + 1) * width));
  }
  return one;
}
