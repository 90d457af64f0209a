// News of closed connections: of this node's for the other nodes, and of theirs for the shards here. A shard whose ring has no space
// for a list checks its records instead. So do all shards where a node is gone or has restarted.

import type { ClusterFlows } from '../../cluster/peers/cluster-flows.ts';
import { EndedFlows } from '../../cluster/peers/ended-flows.ts';
import { FRAME_ENDED, FRAME_ENDED_TAKEN, oneRow, setWord, word } from '../../cluster/peers/peer-frame.ts';
import { ENDED_PER_FRAME } from '../../cluster/peers/peer-limits.ts';
import { RING_FLOWS_ENDED, RING_NODE_GONE, type Ring } from '../../shard/rings/ring.ts';
import type { PeerConnection } from './peer-connection.ts';

const TOKEN_BYTES = 4;
const NOTHING = new Uint8Array(0);

export interface EndedFlowParts {
  readonly flows: ClusterFlows;
  /** Rings by shard. */
  readonly toShards: readonly Ring[];
  /** By shard: 1 where its ring has a new entry. */
  readonly touched: Uint8Array;
}

export class EndedFlowNews {
  private readonly parts: EndedFlowParts;
  private readonly ended = new EndedFlows();
  /** Shards not told yet to check their records. */
  private readonly goneFor = new Set<number>();
  private readonly row = oneRow();

  constructor(parts: EndedFlowParts) {
    this.parts = parts;
  }

  /** Adds a list of this node's closed connections: bytes[0, length). */
  add(bytes: Uint8Array, length: number): void {
    for (let at = 0; at < length; at += TOKEN_BYTES) this.ended.add(word(bytes, at));
  }

  /** A connection to a peer is open. @param isSame as EndedFlows.met's */
  met(node: number, isSame: boolean): void {
    this.ended.met(node, isSame);
  }

  /** Has all shards check their records for connections that are gone. */
  gone(): void {
    for (const shard of this.parts.toShards.keys()) this.goneFor.add(shard);
  }

  /** Tells shards of it whose rings had no space before. */
  tellGone(): void {
    for (const shard of [...this.goneFor]) {
      if (!this.parts.toShards[shard].push(RING_NODE_GONE, NOTHING, 0, 0, this.row, 0, 0)) continue;
      this.parts.touched[shard] = 1;
      this.goneFor.delete(shard);
    }
  }

  /** Sends a peer the news that it has not had yet. */
  tell(peer: PeerConnection): void {
    for (let next = this.ended.next(peer.node); next !== null; next = this.ended.next(peer.node)) {
      const body = new Uint8Array((1 + next.tokens.length) * TOKEN_BYTES);
      setWord(body, 0, next.first);
      for (const [i, token] of next.tokens.entries()) setWord(body, (1 + i) * TOKEN_BYTES, token);
      if (!peer.send(FRAME_ENDED, body)) {
        this.ended.met(peer.node, true);
        return;
      }
    }
  }

  /** A peer has confirmed the news in bytes[at, end); false where that is malformed. */
  takenIn(peer: PeerConnection, bytes: Uint8Array, at: number, end: number): boolean {
    if (end - at !== TOKEN_BYTES) return false;
    this.ended.takenIn(peer.node, word(bytes, at));
    return true;
  }

  /**
   * A peer's connections have closed: nobody is reached over them any more, and the owners remove their bindings. False where the list
   * bytes[at, end) is malformed.
   */
  hear(peer: PeerConnection, bytes: Uint8Array, at: number, end: number): boolean {
    const count = (end - at) / TOKEN_BYTES - 1;
    if (!Number.isInteger(count) || count < 1 || count > ENDED_PER_FRAME) return false;
    const { flows, toShards, touched } = this.parts;
    const first = at + TOKEN_BYTES;
    for (let token = first; token < end; token += TOKEN_BYTES) flows.ended(word(bytes, token), peer.node);
    this.row.node[0] = peer.node;
    for (const [shard, ring] of toShards.entries()) {
      if (!ring.push(RING_FLOWS_ENDED, bytes, first, end, this.row, 0, 0)) this.goneFor.add(shard);
      touched[shard] = 1;
    }
    const taken = new Uint8Array(TOKEN_BYTES);
    setWord(taken, 0, word(bytes, at) + count);
    peer.send(FRAME_ENDED_TAKEN, taken);
    return true;
  }
}
