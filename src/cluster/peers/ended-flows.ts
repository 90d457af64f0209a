// This node's ended connections, numbered in order, for the other nodes: each peer gets them from the last number that it has confirmed. A peer that
// starts anew gets all that are kept.

import { ENDED_MAX, ENDED_PER_FRAME } from './peer-limits.ts';

export class EndedFlows {
  /** Number of ended connections so far. */
  count = 0;
  private readonly tokens = new Uint32Array(ENDED_MAX);
  /** By peer: numbers that it has confirmed, and numbers that were sent. */
  private readonly taken = new Map<number, number>();
  private readonly told = new Map<number, number>();

  add(token: number): void {
    this.tokens[this.count++ % ENDED_MAX] = token;
  }

  /** A connection to a peer is open. @param isSame whether the peer is in the same life as before */
  met(peer: number, isSame: boolean): void {
    if (!isSame) this.taken.delete(peer);
    this.told.set(peer, this.taken.get(peer) ?? 0);
  }

  takenIn(peer: number, count: number): void {
    if (count <= this.count && count > (this.taken.get(peer) ?? 0)) this.taken.set(peer, count);
  }

  /** The next connections to send to a peer; null: none. */
  next(peer: number): { readonly first: number; readonly tokens: Uint32Array } | null {
    const first = Math.max(this.told.get(peer) ?? 0, this.count - ENDED_MAX, 0);
    const length = Math.min(this.count - first, ENDED_PER_FRAME);
    if (length <= 0) return null;
    this.told.set(peer, first + length);
    return { first, tokens: Uint32Array.from({ length }, (_, i) => this.tokens[(first + i) % ENDED_MAX]) };
  }
}
