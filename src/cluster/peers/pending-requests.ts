// Requests over connections that another node is to answer: nobody repeats them, so each is kept until its answer has come, is sent anew
// where its way breaks, and given back after a time. Pure bookkeeping: which node, when and how is the caller's.

import type { Peers } from '../../sip/sources.ts';
import { ROW_BYTES, writeRow } from './peer-frame.ts';
import { PENDING_BYTES_MAX, PENDING_MAX } from './peer-limits.ts';

export interface PendingRequest {
  readonly ticket: number;
  readonly shard: number;
  /** Its row and the message, as in a frame. */
  readonly body: Uint8Array;
  /** The connection it came by. */
  readonly flow: number;
  /** When it is given back. */
  readonly until: number;
  /** The node that is asked, and when; 0: none is. */
  node: number;
  askedAt: number;
  /** Some node was asked once. */
  wasAsked: boolean;
}

/** An owner that is one no more has sent the request on, and the answer has come, in this time. */
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

  /** Keeps bytes[at, end) and a row; null where the capacity is used up. */
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

  /** A node has it. */
  asked(request: PendingRequest, node: number, now: number): void {
    request.node = node;
    request.askedAt = now;
    request.wasAsked = true;
  }

  /** An answer has come: false where nobody waits for it. */
  answered(ticket: number, flow: number): boolean {
    const kept = this.requests.get(ticket);
    if (kept === undefined || kept.flow !== flow) return false;
    this.remove(kept);
    return true;
  }

  remove(request: PendingRequest): void {
    if (this.requests.delete(request.ticket)) this.bytes -= request.body.length;
  }

  /** A node is gone: what it was asked, nobody was. Returns how many requests. */
  lost(node: number): number {
    let lost = 0;
    for (const request of this.requests.values()) {
      if (request.node !== node) continue;
      request.node = 0;
      lost++;
    }
    return lost;
  }

  /** Another node owns the shard by now than the one that was asked, and nothing came: whoever was asked, nobody was. */
  astray(now: number, owner: (shard: number) => number): void {
    for (const request of this.requests.values()) {
      if (request.node === 0 || now - request.askedAt < ASTRAY_MS) continue;
      const newest = owner(request.shard);
      if (newest !== 0 && newest !== request.node) request.node = 0;
    }
  }

  /** Those that no node is asked, oldest first. */
  homeless(): PendingRequest[] {
    return [...this.requests.values()].filter(({ node }) => node === 0);
  }

  /** Takes out those whose time is over. */
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
