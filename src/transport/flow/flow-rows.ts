// Memory that threads share about connections which shards read and write themselves: peers, descriptors, and the times by
// which the main thread closes them. A row per slot of the live flows; a row counts while its flow lives.
// @hot

import { createPeers, type Peers } from '../../sip/sources.ts';

/** Notice of a shard about a connection; after all but one of them the shard reads nothing more from it. */
export const FLOW_ENDED = 1;
export const FLOW_BROKEN = 2;
/** The peer does not read its answers. */
export const FLOW_UNREAD = 3;
export const FLOW_NOT_SIP = 4;
/** No usable length, or too long: answered, but the bytes behind it cannot be read. */
export const FLOW_BAD_FRAME = 5;
/** Its half message was the oldest when the budget for half messages was spent. */
export const FLOW_CROWDED = 6;

export interface FlowRows {
  /** Written by the main thread. */
  readonly peers: Peers;
  readonly fd: Int32Array;
  /** When bytes last arrived, and the first byte of the message in progress, 0 without one; monotonic seconds. */
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
