// This node's connections that have ended, numbered in their order, for the other nodes: each is told from where it has taken them in,
// until it says so. Of a node that starts anew all are told once more, as far as they are kept.

import { ENDED_MAX, ENDED_PER_FRAME } from './peer-limits.ts';

export class EndedFlows {
  /** How many there have been. */
  count = 0;
  private readonly tokens = new Uint32Array(ENDED_MAX);
  /** By peer: how many it has taken in, and how many it was told. */
  private readonly taken = new Map<number, number>();
  private readonly told = new Map<number, number>();

  add(token: number): void {
    this.tokens[this.count++ % ENDED_MAX] = token;
  }

  /** A connection to a peer stands. @param isSame whether it is the same life of the peer as before */
  met(peer: number, isSame: boolean): void {
    if (!isSame) this.taken.delete(peer);
    this.told.set(peer, this.taken.get(peer) ?? 0);
  }

  takenIn(peer: number, count: number): void {
    if (count <= this.count && count > (this.taken.get(peer) ?? 0)) this.taken.set(peer, count);
  }

  /** What a peer is to be told next; null: nothing. */
  next(peer: number): { readonly first: number; readonly tokens: Uint32Array } | null {
    const first = Math.max(this.told.get(peer) ?? 0, this.count - ENDED_MAX, 0);
    const length = Math.min(this.count - first, ENDED_PER_FRAME);
    if (length <= 0) return null;
    this.told.set(peer, first + length);
    return { first, tokens: Uint32Array.from({ length }, (_, i) => this.tokens[(first + i) % ENDED_MAX]) };
  }
}
