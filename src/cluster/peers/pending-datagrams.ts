// Requests over UDP for shards without a known owner: kept until there is one, so that the owner answers before the phone's next repetition. A
// repetition has the same bytes, and is kept once. Pure bookkeeping: the caller chooses the node and sends.

import type { Peers } from '../../sip/sources.ts';
import { ROW_BYTES, writeRow } from './peer-frame.ts';
import { DATAGRAM_MS_MAX, DATAGRAMS_MAX } from './peer-limits.ts';

export interface PendingDatagram {
  readonly shard: number;
  /** Its row and the message, as in a frame. */
  readonly body: Uint8Array;
  /** End of its wait. */
  readonly until: number;
}

export class PendingDatagrams {
  /** By their bytes, oldest first. */
  private readonly datagrams = new Map<string, PendingDatagram>();
  private readonly holdMs: number;

  constructor(holdMs: number) {
    this.holdMs = Math.min(holdMs, DATAGRAM_MS_MAX);
  }

  get count(): number {
    return this.datagrams.size;
  }

  /** Keeps bytes[at, end) and a row, unless it has them already; false: the capacity is used up. */
  keep(shard: number, bytes: Uint8Array, at: number, end: number, peers: Peers, row: number, now: number): boolean {
    if (this.datagrams.size >= DATAGRAMS_MAX) return false;
    const body = new Uint8Array(ROW_BYTES + end - at);
    writeRow(body, 0, peers, row);
    body.set(bytes.subarray(at, end), ROW_BYTES);
    const key = keyOf(body);
    if (!this.datagrams.has(key)) this.datagrams.set(key, { shard, body, until: now + this.holdMs });
    return true;
  }

  /** Removes the requests that `handOn` accepts, and those whose time is over. */
  work(
    now: number,
    handOn: (datagram: PendingDatagram) => boolean,
    overdue: (datagram: PendingDatagram) => void,
  ): void {
    for (const [key, datagram] of this.datagrams) {
      const isOver = datagram.until <= now;
      if (!isOver && !handOn(datagram)) continue;
      this.datagrams.delete(key);
      if (isOver) overdue(datagram);
    }
  }
}

function keyOf({ buffer }: Uint8Array): string {
  return Buffer.from(buffer).toString('latin1');
}
