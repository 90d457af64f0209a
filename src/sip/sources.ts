// Sources of messages, slot by slot: addresses as numbers and bytes, so that no object is made per message.
// This file has the arrays and copies their rows. No sockets.

import { SLOT_COUNT } from './parser/slab.ts';

export const TRANSPORT_UDP = 0;
export const TRANSPORT_TCP = 1;
export const TRANSPORT_TLS = 2;
export const TRANSPORT_WS = 3;
export const TRANSPORT_WSS = 4;
/** By TRANSPORT_*. */
export const TRANSPORT_NAMES = ['udp', 'tcp', 'tls', 'ws', 'wss'] as const;
export type TransportName = (typeof TRANSPORT_NAMES)[number];

/** Listener of messages from the program around a server: the program writes to its connections itself. */
export const LISTENER_PROGRAM = 255;
/** Listener of the admin API's orders, which come over no socket. */
export const LISTENER_ADMIN = 254;

/** Listener of the multicast group. */
export const LISTENER_MULTICAST = 253;

export const ANSWERED_BY_MAIN = 1;
/** The same, for a peer that has shown a trusted proxy's certificate. */
export const ANSWERED_BY_MAIN_TRUSTED = 2;
/** Bits of `answeredByMain` for these values, on the node that holds the socket. */
export const ANSWERED_BY_MAIN_MASK = 3;
/** The message came from another node of the cluster, and is answered through it: a separate bit. */
export const VIA_CLUSTER = 4;
/** The same, and the node before no longer owned the shard: the message is not forwarded again. */
export const VIA_CLUSTER_TWICE = 8;

/** Another node was asked, did not answer, and may have decided. A separate bit, of requests that come back since no node was reached. */
export const WAS_ASKED = 16;

/** In place of a node: the request was for another node, and comes back since none was reached. */
export const NODE_NO_WAY = 255;

/** One row per slot of the slab. */
export interface Peers {
  /** 4 or 6. */
  readonly family: Uint8Array;
  /** 16 bytes a row, in network order; IPv4 fills the first four. */
  readonly ip: Uint8Array;
  readonly port: Uint16Array;
  /** TRANSPORT_*. */
  readonly transport: Uint8Array;
  /** Index of the listener in the configuration. */
  readonly listener: Uint8Array;
  /** Number of the connection, for stream transports; on UDP 0, or the scope (interface) of a link-local IPv6 address. */
  readonly flow: Uint32Array;
  /** The node that holds that connection; 0 where there is one node. */
  readonly node: Uint8Array;
  /** Not 0 where the answer must be sent through a ring, not a socket of the shard's own: ANSWERED_BY_MAIN* and the bits VIA_CLUSTER*. */
  readonly answeredByMain: Uint8Array;
  /**
   * 16 bytes a row: the destination address of the datagram, where the listener is a wildcard, so that the answer is sent
   * from it (RFC 3581 §4); else zeros. Only transports use it.
   */
  readonly local: Uint8Array;
}

/** @param Memory SharedArrayBuffer: other threads can read the rows */
export function createPeers(
  rows = SLOT_COUNT,
  Memory: ArrayBufferConstructor | SharedArrayBufferConstructor = ArrayBuffer,
): Peers {
  const bytes = (perRow: number) => new Uint8Array(new Memory(rows * perRow));
  return {
    family: bytes(1),
    ip: bytes(16),
    port: new Uint16Array(new Memory(rows * 2)),
    transport: bytes(1),
    listener: bytes(1),
    flow: new Uint32Array(new Memory(rows * 4)),
    node: bytes(1),
    answeredByMain: bytes(1),
    local: bytes(16),
  };
}

/** Copies a row. */
export function copyPeer(from: Peers, row: number, to: Peers, toRow: number): void {
  to.family[toRow] = from.family[row];
  to.port[toRow] = from.port[row];
  to.transport[toRow] = from.transport[row];
  to.listener[toRow] = from.listener[row];
  to.flow[toRow] = from.flow[row];
  to.node[toRow] = from.node[row];
  to.answeredByMain[toRow] = from.answeredByMain[row];
  for (let i = 0, a = row << 4, b = toRow << 4; i < 16; i++) {
    to.ip[b + i] = from.ip[a + i];
    to.local[b + i] = from.local[a + i];
  }
}
