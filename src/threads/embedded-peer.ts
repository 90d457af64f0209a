// The program around the server as a peer: its messages, and its connections. Those stand in the table of flows beside those
// of our listeners, so that their bindings live and die with them.

import type { Peers } from '../sip/sources.ts';
import type { Connection, FlowSource } from '../transport/flow/flows.ts';
import type { Connections } from './connections.ts';

/** The program writes to its connections itself, and closes them. */
const OF_PROGRAM: Connection = { send: () => false, resume: () => {}, close: () => {} };

export class EmbeddedPeer {
  private readonly streams: Connections;
  /** Accepts a message from the program; its peer is the one row of `peers`, of LISTENER_PROGRAM. */
  readonly hand: (bytes: Uint8Array, peers: Peers) => void;

  constructor(streams: Connections, hand: (bytes: Uint8Array, peers: Peers) => void) {
    this.streams = streams;
    this.hand = hand;
  }

  /** The token of a new connection of the program; 0 where there are as many as there may be. */
  openFlow(source: FlowSource): number {
    return this.streams.flows.open(OF_PROGRAM, source);
  }

  /** Whether the program has this connection. */
  hasFlow(token: number): boolean {
    return this.streams.flows.find(token) === OF_PROGRAM;
  }

  /** The connection has closed: every thread knows at once, and the shards drop the bindings registered over it. */
  endFlow(token: number): void {
    if (!this.hasFlow(token)) return;
    this.streams.flows.ended(token);
    this.streams.closed(token);
  }
}
