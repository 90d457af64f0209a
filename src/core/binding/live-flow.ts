// Whether a binding's connection is still open. A binding made straight from the user agent over a stream ends with its connection
// (RFC 5626 §7), unless its contact leads to the user agent without it (contact-reach.ts). Reading only; connections are an argument.
// @hot

import { TRANSPORT_UDP } from '../../sip/sources.ts';
import { flowOf, hasFlag, nodeOf, transportOf } from './binding.ts';
import { IMAGE_ASLEEP, IMAGE_BY_CONTACT, IMAGE_DIRECT } from './image-layout.ts';

/** The open connections. Their numbers are those of no earlier life of the node. */
export interface FlowLiveness {
  /** @param node that holds the connection; 0 where there is one */
  isAlive(flow: number, node: number): boolean;
}

/** The connection of the binding's REGISTER, straight from the user agent; 0 where there is none: UDP, or a Path. */
export function ownFlow(bytes: Uint8Array, image: number): number {
  if (transportOf(bytes, image) === TRANSPORT_UDP || !hasFlag(bytes, image, IMAGE_DIRECT)) return 0;
  return flowOf(bytes, image);
}

/** The connection that the binding ends with; 0 where it does not: its contact works without one, too, or the binding sleeps. */
function lifeline(bytes: Uint8Array, image: number): number {
  return hasFlag(bytes, image, IMAGE_BY_CONTACT | IMAGE_ASLEEP) ? 0 : ownFlow(bytes, image);
}

/**
 * Whether the connection that the binding ends with has closed: then the binding is no target, also before its expiry.
 * @param flows null: this process holds no connections
 */
export function isCutOff(bytes: Uint8Array, image: number, flows: FlowLiveness | null): boolean {
  if (flows === null) return false;
  const token = lifeline(bytes, image);
  return token !== 0 && !flows.isAlive(token, nodeOf(bytes, image));
}

/** One number for the connection that the binding ends with, on any node; 0 without one. Two connections seldom share a number. */
export function lifelineKey(bytes: Uint8Array, image: number): number {
  const token = lifeline(bytes, image);
  return token === 0 ? 0 : flowKey(token, nodeOf(bytes, image));
}

/** The number of a node's connection among those of all nodes. */
export function flowKey(flow: number, node: number): number {
  return (flow ^ Math.imul(node, 0x9e3779b1)) >>> 0;
}
