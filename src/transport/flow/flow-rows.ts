// What threads share of the connections that shards read and write themselves: who their peers are, their descriptors, and
// what the main thread, which ends them, needs to know. A row per slot of the live flows; a row counts while its flow lives.
// @hot

import { createPeers, type Peers } from '../../sip/sources.ts';

/** Notice of a shard about a connection; all but one mean that it reads nothing more from it. */
export const FLOW_ENDED = 1;
export const FLOW_BROKEN = 2;
/** The peer does not read its answers. */
export const FLOW_UNREAD = 3;
export const FLOW_NOT_SIP = 4;
/** No usable length, or too long: answered, but nothing behind it can be read. */
export const FLOW_BAD_FRAME = 5;
/** Its half message was the oldest when the budget for such was spent. */
export const FLOW_CROWDED = 6;

export interface FlowRows {
  /** Written by the main thread. */
  readonly peers: Peers;
  readonly fd: Int32Array;
  /** When bytes last came, and when the first of the message under way did, 0 without one; epoch seconds. */
  readonly heardAt: Uint32Array;
  readonly messageSince: Uint32Array;
  /** Requests handed on less final responses sent; not exact, since not every request is answered. */
  readonly unanswered: Int32Array;
}

/** @cold */
export function createFlowRows(slots: number): FlowRows {
  const words = () => new SharedArrayBuffer(slots * 4);
  return {
    peers: createPeers(slots, SharedArrayBuffer),
    fd: new Int32Array(words()),
    heardAt: new Uint32Array(words()),
    messageSince: new Uint32Array(words()),
    unanswered: new Int32Array(words()),
  };
}
