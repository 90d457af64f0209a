// Target of a ping: the address or connection of the contact's REGISTER, straight from the user agent. Bindings of one AOR with
// one source share their pings.
// @hot

import { readIpHost } from '../../sip/ip.ts';
import { URI_HOST_AT, URI_HOST_END, URI_INTS, URI_PORT } from '../../sip/parser/span-table.ts';
import { TRANSPORT_UDP } from '../../sip/sources.ts';
import { parseUri } from '../../sip/uri/uri.ts';
import {
  familyOf,
  flowOf,
  hasFlag,
  ipAt,
  nodeOf,
  pathEnd,
  portOf,
  transportOf,
  uriAt,
  uriEnd,
  userAgentEnd,
} from '../binding/binding.ts';
import { DISPLAY_LENGTH, IMAGE_BY_CONTACT, IMAGE_DIRECT, IMAGE_PUSH, SOURCE_FAMILY } from '../binding/image-layout.ts';
import type { FlowLiveness } from '../binding/live-flow.ts';
import type { PingedContacts } from './ping-policy.ts';

const SIP_PORT = 5060;

const uri = new Int32Array(URI_INTS);
const address = new Uint8Array(16);

/** A number for the source of the image among those of its AOR; never 0. */
export function sourceOf(bytes: Uint8Array, image: number): number {
  let hash = 0x811c9dc5;
  for (let p = image + SOURCE_FAMILY, end = image + DISPLAY_LENGTH; p < end; p++)
    hash = Math.imul(hash ^ bytes[p], 0x01000193);
  return hash >>> 0 || 1;
}

/** Whether the contact of the image is pinged. */
export function isPinged(bytes: Uint8Array, image: number, contacts: PingedContacts): boolean {
  if (contacts === 'off' || !hasFlag(bytes, image, IMAGE_DIRECT) || portOf(bytes, image) === 0) return false;
  // A sleeping device does not answer; a push wakes it.
  if (pathEnd(bytes, image) > userAgentEnd(bytes, image) || hasFlag(bytes, image, IMAGE_PUSH)) return false;
  return contacts === 'all' || isBehindNat(bytes, image);
}

/** Whether the connection of the contact's REGISTER is open. */
export function isReached(bytes: Uint8Array, image: number, flows: FlowLiveness | null): boolean {
  if (flows === null || transportOf(bytes, image) === TRANSPORT_UDP) return true;
  return flows.isAlive(flowOf(bytes, image), nodeOf(bytes, image));
}

/** Whether the contact names another address than its REGISTER's source, or one that works only over its connection. */
function isBehindNat(bytes: Uint8Array, image: number): boolean {
  if (transportOf(bytes, image) !== TRANSPORT_UDP) return !hasFlag(bytes, image, IMAGE_BY_CONTACT);
  if (parseUri(bytes, uriAt(bytes, image), uriEnd(bytes, image), uri, 0) !== 0) return false;
  const family = readIpHost(bytes, uri[URI_HOST_AT], uri[URI_HOST_END], address);
  if (family === 0) return false;
  if (family !== familyOf(bytes, image)) return true;
  for (let i = 0, ip = ipAt(image); i < (family === 6 ? 16 : 4); i++) if (bytes[ip + i] !== address[i]) return true;
  return (uri[URI_PORT] < 0 ? SIP_PORT : uri[URI_PORT]) !== portOf(bytes, image);
}
