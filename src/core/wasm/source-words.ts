// Inputs of the module that the span table lacks: the request's source, and the To tag of its answers.
// @hot

import { writeIp } from '../../sip/ip.ts';
import { memory } from '../../sip/parser/slab.ts';
import { type Peers, TRANSPORT_UDP } from '../../sip/sources.ts';
import { IN_FLOW, IN_IP, IN_IP_LENGTH, IN_PORT, IN_SOURCE_KIND, IN_TAG, IP_TEXT } from './module-memory.ts';
import { toldWords } from './request-module.ts';

// A constant of this module: V8 compiles its address in, while it loads an import each time it is used.
const told = toldWords;
const ipText = new Uint8Array(memory.buffer, IP_TEXT, 64);

/** @param peer row of `peers` */
export function tellSource(peers: Peers, peer: number, tagHigh: number, tagLow: number): void {
  told[IN_TAG] = tagHigh;
  told[IN_TAG + 1] = tagLow;
  told[IN_SOURCE_KIND] =
    peers.family[peer] | (peers.transport[peer] << 8) | (peers.listener[peer] << 16) | (nodeOf(peers, peer) << 24);
  told[IN_PORT] = peers.port[peer];
  told[IN_FLOW] = peers.flow[peer];
  const { ip } = peers;
  for (let i = 0, at = peer << 4; i < 4; i++, at += 4)
    told[IN_IP + i] = ip[at] | (ip[at + 1] << 8) | (ip[at + 2] << 16) | (ip[at + 3] << 24);
  told[IN_IP_LENGTH] = peers.family[peer] === 6 ? writeIp(peers, peer, ipText) : 0;
}

/** The node of a connection; 0 for a datagram's source, which any node can reach. */
function nodeOf(peers: Peers, peer: number): number {
  return peers.transport[peer] === TRANSPORT_UDP ? 0 : peers.node[peer];
}
