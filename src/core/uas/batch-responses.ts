// The answers of one batch, a row each: their places in the ring of answers and their receivers. Filled by the shard,
// read by the sender of the answers. @hot

import { SLOT_COUNT } from '../../sip/parser/slab.ts';

export class BatchResponses {
  count = 0;
  /** The ring that `at` and `end` index; fixed. */
  readonly bytes: Uint8Array;
  readonly at = new Int32Array(SLOT_COUNT);
  readonly end = new Int32Array(SLOT_COUNT);
  /** Slot of the request: the row of `peers` that the answer is sent to. */
  readonly slot = new Uint16Array(SLOT_COUNT);
  /** Port on the peer's address (RFC 3261 §18.2.2). */
  readonly port = new Uint16Array(SLOT_COUNT);
  /** Place in the ring, for the transaction's entry. */
  readonly place = new Float64Array(SLOT_COUNT);
  /** Transaction number, or -1. */
  readonly ticket = new Float64Array(SLOT_COUNT);
  /** 1 where the answer holds only if the batch's commit succeeds. */
  readonly conditional = new Uint8Array(SLOT_COUNT);
  readonly status = new Uint16Array(SLOT_COUNT);
  /** OUTCOME_*, and the REASON_* of a refusal: for the counters. */
  readonly outcome = new Uint8Array(SLOT_COUNT);
  readonly reason = new Uint8Array(SLOT_COUNT);
  /** 1 for the answer to an INVITE over UDP: sent again until its ACK comes. */
  readonly awaitsAck = new Uint8Array(SLOT_COUNT);

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  /** Whether any answer waits for the commit. */
  get hasConditional(): boolean {
    for (let row = 0; row < this.count; row++) if (this.conditional[row] !== 0) return true;
    return false;
  }

  /** Moves the rows that wait for the commit. @cold */
  moveConditional(into: BatchResponses): void {
    const rows = this.count;
    this.count = 0;
    into.count = 0;
    for (let row = 0; row < rows; row++) {
      if (this.conditional[row] !== 0) into.copyRow(this, row, into.count++);
      else this.copyRow(this, row, this.count++);
    }
  }

  /** @cold */
  copyRow(from: BatchResponses, row: number, to: number): void {
    this.at[to] = from.at[row];
    this.end[to] = from.end[row];
    this.slot[to] = from.slot[row];
    this.port[to] = from.port[row];
    this.place[to] = from.place[row];
    this.ticket[to] = from.ticket[row];
    this.conditional[to] = from.conditional[row];
    this.status[to] = from.status[row];
    this.outcome[to] = from.outcome[row];
    this.reason[to] = from.reason[row];
    this.awaitsAck[to] = from.awaitsAck[row];
  }

  add(slot: number, at: number, end: number, port: number): number {
    const row = this.count++;
    this.slot[row] = slot;
    this.at[row] = at;
    this.end[row] = end;
    this.port[row] = port;
    this.ticket[row] = -1;
    this.conditional[row] = 0;
    this.status[row] = 0;
    this.outcome[row] = 0;
    this.reason[row] = 0;
    this.awaitsAck[row] = 0;
    return row;
  }
}
