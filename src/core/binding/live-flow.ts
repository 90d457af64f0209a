// Whether a binding's way is open: one that came straight from the user agent over a stream lives by its connection
// (RFC 5626 §7) where nothing else leads there (contact-reach.ts). Reading only; who knows which connections there are is an argument.
// @hot

import { TRANSPORT_UDP } from '../../sip/sources.ts';
import { flowOf, hasFlag, nodeOf, transportOf } from './binding.ts';
import { IMAGE_ASLEEP, IMAGE_BY_CONTACT, IMAGE_DIRECT } from './image-layout.ts';

/** Which connections there are. Their numbers are those of no earlier life of the node. */
export interface FlowLiveness {
  /** @param node that holds the connection; 0 where there is one */
  isAlive(flow: number, node: number): boolean;
}

/** The connection that the binding was made over straight from the user agent, or 0 where there is none: UDP, or a Path. */
export function ownFlow(bytes: Uint8Array, image: number): number {
  if (transportOf(bytes, image) === TRANSPORT_UDP || !hasFlag(bytes, image, IMAGE_DIRECT)) return 0;
  return flowOf(bytes, image);
}

/** The connection that the binding lives by, or 0 where it lives by none: its contact leads to the user agent without one, too; or it sleeps. */
function lifeline(bytes: Uint8Array, image: number): number {
  return hasFlag(bytes, image, IMAGE_BY_CONTACT | IMAGE_ASLEEP) ? 0 : ownFlow(bytes, image);
}

/**
 * Whether the connection that the binding lives by is gone: then it is no target any more, whatever its expiry.
 * @param flows null: no connection is held here
 */
export function isCutOff(bytes: Uint8Array, image: number, flows: FlowLiveness | null): boolean {
  if (flows === null) return false;
  const token = lifeline(bytes, image);
  return token !== 0 && !flows.isAlive(token, nodeOf(bytes, image));
}

/** One number for the connection that the binding lives by, of whichever node; 0 where it lives by none. Seldom two share one. */
export function lifelineKey(bytes: Uint8Array, image: number): number {
  const token = lifeline(bytes, image);
  return token === 0 ? 0 : flowKey(token, nodeOf(bytes, image));
}

/** The number of a node's connection among those of all nodes. */
export function flowKey(flow: number, node: number): number {
  return (flow ^ Math.imul(node, 0x9e3779b1)) >>> 0;
}
