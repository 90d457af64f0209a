// Requests over connections that another node must answer. Phones do not repeat them: each is kept until its answer comes, sent again if its node is
// lost, and given back after a time. Pure bookkeeping: the caller chooses the node and sends.

import type { Peers } from '../../sip/sources.ts';
import { ROW_BYTES, writeRow } from './peer-frame.ts';
import { PENDING_BYTES_MAX, PENDING_MAX } from './peer-limits.ts';

export interface PendingRequest {
  readonly ticket: number;
  readonly shard: number;
  /** Its row and the message, as in a frame. */
  readonly body: Uint8Array;
  /** The connection of the request. */
  readonly flow: number;
  /** Time at which it is given back. */
  readonly until: number;
  /** The node that has the request, and since when; 0: none has. */
  node: number;
  askedAt: number;
  /** A node has had the request at some time. */
  wasAsked: boolean;
}

/** Time in which a former owner forwards the request, and the answer comes. */
const ASTRAY_MS = 500;

export class PendingRequests {
  /** Oldest first. */
  private readonly requests = new Map<number, PendingRequest>();
  private readonly holdMs: number;
  private lastTicket = 0;
  private bytes = 0;

  constructor(holdMs: number) {
    this.holdMs = holdMs;
  }

  get count(): number {
    return this.requests.size;
  }

  /** Keeps bytes[at, end) and a row; null: the capacity is used up. */
  add(shard: number, bytes: Uint8Array, at: number, end: number, peers: Peers, row: number, now: number) {
    if (this.requests.size >= PENDING_MAX || this.bytes + end - at > PENDING_BYTES_MAX) return null;
    do this.lastTicket = (this.lastTicket + 1) >>> 0;
    while (this.lastTicket === 0 || this.requests.has(this.lastTicket));
    const kept: PendingRequest = {
      ticket: this.lastTicket,
      shard,
      body: new Uint8Array(ROW_BYTES + end - at),
      flow: peers.flow[row],
      until: now + this.holdMs,
      node: 0,
      askedAt: 0,
      wasAsked: false,
    };
    writeRow(kept.body, 0, peers, row);
    kept.body.set(bytes.subarray(at, end), ROW_BYTES);
    this.requests.set(kept.ticket, kept);
    this.bytes += kept.body.length;
    return kept;
  }

  /** A node has the request now. */
  asked(request: PendingRequest, node: number, now: number): void {
    request.node = node;
    request.askedAt = now;
    request.wasAsked = true;
  }

  /** An answer has come; false: no request waits for it. */
  answered(ticket: number, flow: number): boolean {
    const kept = this.requests.get(ticket);
    if (kept === undefined || kept.flow !== flow) return false;
    this.remove(kept);
    return true;
  }

  remove(request: PendingRequest): void {
    if (this.requests.delete(request.ticket)) this.bytes -= request.body.length;
  }

  /** A node is gone: its requests need another node. Returns their number. */
  lost(node: number): number {
    let lost = 0;
    for (const request of this.requests.values()) {
      if (request.node !== node) continue;
      request.node = 0;
      lost++;
    }
    return lost;
  }

  /** Another node owns the shard now than the one that has the request, and no answer came: the request needs another node. */
  astray(now: number, owner: (shard: number) => number): void {
    for (const request of this.requests.values()) {
      if (request.node === 0 || now - request.askedAt < ASTRAY_MS) continue;
      const newest = owner(request.shard);
      if (newest !== 0 && newest !== request.node) request.node = 0;
    }
  }

  /** Requests that no node has, oldest first. */
  homeless(): PendingRequest[] {
    return [...this.requests.values()].filter(({ node }) => node === 0);
  }

  /** Removes and returns the requests whose time is over. */
  overdue(now: number): PendingRequest[] {
    const over: PendingRequest[] = [];
    for (const request of this.requests.values()) {
      if (request.until > now) break;
      over.push(request);
    }
    for (const request of over) this.remove(request);
    return over;
  }
}
