// Requests for shards of other owners, on their way to the owner, and the answers on their way back. They pass between the rings of this node's
// threads and the connections to the other nodes.

import type { ClusterFlows } from '../../cluster/peers/cluster-flows.ts';
import type { PeerCounts } from '../../cluster/peers/peer-counts.ts';
import {
  FRAME_ANSWER,
  FRAME_ENDED,
  FRAME_ENDED_TAKEN,
  FRAME_REQUEST,
  type FrameReader,
  HEAD_BYTES,
  oneRow,
  ROW_BYTES,
  readRow,
  setWord,
  word,
  writeRow,
} from '../../cluster/peers/peer-frame.ts';
import { type PendingDatagram, PendingDatagrams } from '../../cluster/peers/pending-datagrams.ts';
import { type PendingRequest, PendingRequests } from '../../cluster/peers/pending-requests.ts';
import type { ShardTable } from '../../cluster/shard-table.ts';
import type { Bell } from '../../shard/rings/bell.ts';
import { RING_ANSWER, RING_FLOWS_ENDED, RING_MESSAGE, type Ring } from '../../shard/rings/ring.ts';
import { MESSAGE_BYTES_MAX } from '../../sip/parser/slab.ts';
import {
  ANSWERED_BY_MAIN_MASK,
  NODE_NO_WAY,
  type Peers,
  TRANSPORT_UDP,
  VIA_CLUSTER,
  VIA_CLUSTER_TWICE,
  WAS_ASKED,
} from '../../sip/sources.ts';
import { EndedFlowNews } from './ended-flow-news.ts';
import type { PeerConnection } from './peer-connection.ts';
import type { PeerMesh } from './peer-mesh.ts';

/** Entries taken from one ring in a turn. */
const TURN_MAX = 256;
/** Interval of looking at requests that wait: there may be thousands. */
const LOOK_MS = 20;
/** Length of the shard's number, which follows a request in a ring. */
export const SHARD_BYTES = 2;

export interface ForwarderParts {
  /** Number of this node. */
  readonly node: number;
  readonly shards: number;
  readonly holdMs: number;
  readonly table: ShardTable;
  readonly flows: ClusterFlows;
  readonly counts: PeerCounts;
  /** Rings read here: the main thread's first, then each shard's. */
  readonly incoming: readonly Ring[];
  /** By shard: rings for requests and news, and for answers that leave by its sockets. */
  readonly toShards: readonly Ring[];
  readonly relays: readonly Ring[];
  readonly bells: readonly Bell[];
  isAlive(node: number): boolean;
  /** Whether this node is of its cluster. Otherwise no node decides, and no request waits. */
  isJoined(): boolean;
}

export class RequestForwarder {
  readonly pending: PendingRequests;
  private readonly datagrams: PendingDatagrams;
  mesh: PeerMesh | undefined;
  private readonly parts: ForwarderParts;
  private readonly news: EndedFlowNews;
  private readonly touched: Uint8Array;
  private readonly stage = new Uint8Array(MESSAGE_BYTES_MAX + SHARD_BYTES);
  private readonly row = oneRow();
  /** Row of a kept request. */
  private readonly kept = oneRow();
  private lookAt = 0;

  constructor(parts: ForwarderParts) {
    this.parts = parts;
    this.pending = new PendingRequests(parts.holdMs);
    this.datagrams = new PendingDatagrams(parts.holdMs);
    this.touched = new Uint8Array(parts.shards);
    this.news = new EndedFlowNews({ ...parts, touched: this.touched });
  }

  /** Takes the messages that this node's threads have pushed; returns whether more may follow. */
  takeRings(now: number): boolean {
    let more = false;
    for (const ring of this.parts.incoming) {
      let taken = 0;
      for (; taken < TURN_MAX; taken++) {
        const length = ring.pop(this.stage, 0, this.row, 0);
        if (length < 0) break;
        if (ring.kind === RING_MESSAGE) this.request(length, now);
        else if (ring.kind === RING_ANSWER) this.answer(length);
        else if (ring.kind === RING_FLOWS_ENDED) this.news.add(this.stage, length);
      }
      if (taken === TURN_MAX) more = true;
    }
    return more;
  }

  /** Work due by time: sends on requests that have an owner by now, and gives up those whose time is over. */
  work(now: number): void {
    const { parts } = this;
    if (now >= this.lookAt) this.look(now);
    for (const peer of this.mesh?.nodes() ?? []) this.news.tell(peer);
    for (let shard = 0; shard < parts.shards; shard++) {
      if (this.touched[shard] === 0) continue;
      this.touched[shard] = 0;
      parts.bells[shard].ring();
    }
  }

  private look(now: number): void {
    const { pending, parts } = this;
    this.lookAt = now + LOOK_MS;
    for (const request of pending.overdue(now)) this.putBack(request);
    pending.astray(now, (shard) => parts.table.route(shard));
    for (const request of pending.homeless()) this.route(request, now);
    this.datagrams.work(now, this.routeDatagram, this.datagramOverdue);
    this.news.tellGone();
  }

  up(peer: PeerConnection, isSame: boolean): void {
    this.news.met(peer.node, isSame);
  }

  down(node: number): void {
    this.parts.counts.add('failed', this.pending.lost(node));
  }

  /** Has all shards check their records for connections that are gone. */
  gone(): void {
    this.news.gone();
  }

  /** Accepts a frame of a peer; false where it is malformed. */
  frame(peer: PeerConnection, reader: FrameReader, bytes: Uint8Array): boolean {
    const { kind, at, end } = reader;
    if (kind === FRAME_REQUEST) return this.requested(peer.node, reader, bytes);
    if (kind === FRAME_ANSWER) return this.answered(bytes, at, end);
    if (kind === FRAME_ENDED) return this.news.hear(peer, bytes, at, end);
    return kind === FRAME_ENDED_TAKEN && this.news.takenIn(peer, bytes, at, end);
  }

  /** A shard's thread has a request, in `stage` and `row`, that another node decides about. */
  private request(length: number, now: number): void {
    const { row, parts, stage } = this;
    const end = length - SHARD_BYTES;
    const shard = stage[end] | (stage[end + 1] << 8);
    const isForeign = (row.answeredByMain[0] & VIA_CLUSTER) !== 0;
    if (isForeign) row.answeredByMain[0] |= VIA_CLUSTER_TWICE;
    else row.node[0] = parts.node;
    if (!parts.isJoined()) return this.giveBack(shard, row, stage, 0, end);
    if (row.transport[0] === TRANSPORT_UDP) return this.datagram(shard, end, now);
    if (isForeign) {
      if (this.handOn(shard, row, stage, 0, end, 0) === 0) parts.counts.add('failed');
      return;
    }
    const request = this.pending.add(shard, stage, 0, end, row, 0, now);
    if (request === null) this.giveBack(shard, row, stage, 0, end);
    else this.route(request, now);
  }

  /** The same over UDP: where no owner is known, the request waits for one. */
  private datagram(shard: number, end: number, now: number): void {
    const { row, stage } = this;
    const via = row.answeredByMain[0];
    if (this.handOn(shard, row, stage, 0, end, 0) !== 0) return;
    row.answeredByMain[0] = via;
    if (!this.datagrams.keep(shard, stage, 0, end, row, 0, now)) this.parts.counts.add('failed');
  }

  private readonly routeDatagram = ({ shard, body }: PendingDatagram): boolean => {
    readRow(body, 0, body.length, this.kept, 0);
    return this.handOn(shard, this.kept, body, ROW_BYTES, body.length, 0) !== 0;
  };

  /** A client of this node is answered and may come again; a request from another node is for its own client to repeat. */
  private readonly datagramOverdue = ({ shard, body }: PendingDatagram): void => {
    readRow(body, 0, body.length, this.kept, 0);
    if (this.kept.node[0] === this.parts.node) this.giveBack(shard, this.kept, body, ROW_BYTES, body.length);
    else this.parts.counts.add('failed');
  };

  /** Sends a kept request to its shard's owner of now, perhaps this node; without an owner it stays. */
  private route(request: PendingRequest, now: number): void {
    const { shard, body, ticket } = request;
    readRow(body, 0, body.length, this.kept, 0);
    const owner = this.handOn(shard, this.kept, body, ROW_BYTES, body.length, ticket);
    if (owner === this.parts.node) this.pending.remove(request);
    else if (owner !== 0) this.pending.asked(request, owner, now);
  }

  /**
   * Hands a request to the owner of its shard, perhaps this node. Returns the owner's number, or 0 where none is known or has capacity.
   * @param ticket of a request over a connection, by which its answer is known
   */
  private handOn(shard: number, peers: Peers, bytes: Uint8Array, from: number, end: number, ticket: number): number {
    const { table, node } = this.parts;
    if (table.isOwner(shard)) return this.give(shard, peers, bytes, from, end) ? node : 0;
    const owner = table.route(shard);
    if (owner === node) return 0;
    peers.answeredByMain[0] |= VIA_CLUSTER;
    if (ticket > 0) setWord(peers.local, 0, ticket);
    return this.send(owner, shard, peers, bytes, from, end) ? owner : 0;
  }

  /** Hands a request to the shard's thread here; false where its ring is full. */
  private give(shard: number, peers: Peers, bytes: Uint8Array, from: number, end: number): boolean {
    if (!this.parts.toShards[shard].push(RING_MESSAGE, bytes, from, end, peers, 0, peers.port[0])) return false;
    this.touched[shard] = 1;
    return true;
  }

  private send(node: number, shard: number, peers: Peers, bytes: Uint8Array, from: number, end: number): boolean {
    if (!this.write(FRAME_REQUEST, node, shard, peers, bytes, from, end)) return false;
    this.parts.counts.add('forwarded');
    return true;
  }

  private write(
    kind: number,
    node: number,
    shard: number,
    peers: Peers,
    bytes: Uint8Array,
    from: number,
    end: number,
  ): boolean {
    const peer = node === 0 || !this.parts.isAlive(node) ? undefined : this.mesh?.of(node);
    const length = ROW_BYTES + end - from;
    const at = peer === undefined ? -1 : peer.frame(kind, shard, length);
    if (peer === undefined || at < 0) return false;
    const { socket } = peer;
    writeRow(socket.out, at, peers, 0);
    socket.out.set(bytes.subarray(from, end), at + ROW_BYTES);
    socket.commit(HEAD_BYTES + length);
    return true;
  }

  /** The request's time is over: the shard's own thread tells the client to come again. */
  private putBack({ shard, body, wasAsked }: PendingRequest): void {
    readRow(body, 0, body.length, this.kept, 0);
    if (wasAsked) this.kept.answeredByMain[0] |= WAS_ASKED;
    this.giveBack(shard, this.kept, body, ROW_BYTES, body.length);
  }

  private giveBack(shard: number, peers: Peers, bytes: Uint8Array, from: number, end: number): void {
    const { counts } = this.parts;
    peers.node[0] = NODE_NO_WAY;
    counts.add('put_back');
    if (!this.give(shard, peers, bytes, from, end)) counts.add('failed');
  }

  /** A shard here has answered a request that came from another node, or from this one by way of another. */
  private answer(length: number): void {
    const { row, stage, parts } = this;
    if (row.node[0] === parts.node) this.relay(stage, 0, length);
    else if (!this.write(FRAME_ANSWER, row.node[0], 0, row, stage, 0, length)) parts.counts.add('failed');
  }

  /** A peer has a request for a shard and takes this node for its owner. */
  private requested(from: number, { shard, at, end }: FrameReader, bytes: Uint8Array): boolean {
    const { row, parts } = this;
    if (shard >= parts.shards || !readRow(bytes, at, end, row, 0)) return false;
    const length = end - at - ROW_BYTES;
    const via = row.answeredByMain[0];
    if (length < 1 || length > MESSAGE_BYTES_MAX || (via & VIA_CLUSTER) === 0) return false;
    if (row.node[0] !== from && (via & VIA_CLUSTER_TWICE) === 0) return false;
    parts.counts.add(this.give(shard, row, bytes, at + ROW_BYTES, end) ? 'taken' : 'failed');
    return true;
  }

  private answered(bytes: Uint8Array, at: number, end: number): boolean {
    const { row, parts } = this;
    if (!readRow(bytes, at, end, row, 0) || row.node[0] !== parts.node) return false;
    const length = end - at - ROW_BYTES;
    if (length < 1 || length > MESSAGE_BYTES_MAX) return false;
    this.relay(bytes, at + ROW_BYTES, end);
    return true;
  }

  /** The answer bytes[at, end) leaves by the socket that the request of `row` came in by, from any thread that has the socket. */
  private relay(bytes: Uint8Array, at: number, end: number): void {
    const { row, parts } = this;
    const isStream = row.transport[0] !== TRANSPORT_UDP;
    if (isStream && !this.pending.answered(word(row.local, 0), row.flow[0])) return parts.counts.add('failed');
    if (isStream) row.local.fill(0);
    row.answeredByMain[0] &= ANSWERED_BY_MAIN_MASK;
    const thread = (row.flow[0] + row.port[0]) % parts.shards;
    if (parts.relays[thread].push(RING_ANSWER, bytes, at, end, row, 0, row.port[0])) {
      this.touched[thread] = 1;
      parts.counts.add('answered');
    } else parts.counts.add('failed');
  }
}
