// Whether a contact registered over a connection leads to the phone without it (decision 50): most plain RFC 3261 phones listen
// at the address of their contact. live-flow.ts has the rules for bindings that end with their connection.
// @hot

import { isLocalIp, readIpHost } from '../../../sip/ip.ts';
import { slab, table } from '../../../sip/parser/slab.ts';
import {
  SCHEME_SIP,
  SCHEME_SIPS,
  URI_HOST_AT,
  URI_HOST_END,
  URI_PORT,
  URI_SCHEME,
} from '../../../sip/parser/span-table.ts';
import { isText } from '../../../sip/scanner.ts';
import { TRANSPORT_UDP } from '../../../sip/sources.ts';
import { hasUriParam, uriParamAt, uriParamEnd } from '../../../sip/uri/uri-param.ts';
import { ascii } from '../../../sip/writer.ts';
import { IMAGE_BY_CONTACT, IMAGE_DIRECT, IMAGE_PUSH } from '../../binding/image-layout.ts';
import type { Exchange, ExchangeRequest } from '../../uas/exchange.ts';
import { flowRegId } from '../outbound.ts';
import { hasDevice } from '../push-rules.ts';

const TRANSPORT = ascii('transport');
const MADDR = ascii('maddr');
const TLS = ascii('tls');
const WS = ascii('ws');
const WSS = ascii('wss');
const INVALID = ascii('invalid');
const LOCALHOST = ascii('localhost');
const SIP_PORT = 5060;
const SIPS_PORT = 5061;
const DOT = 0x2e;

/** Of the contact's host. */
const address = new Uint8Array(16);

/**
 * IMAGE_* flags of a binding of the request in the table, for the Contact whose record starts at `contact`. With a push device the
 * binding ends with its connection: no contact leads to the device without it.
 */
export function imageFlags(contact: number, exchange: Exchange): number {
  const { request, work } = exchange;
  if (work.wakes && hasDevice(contact)) return work.direct ? IMAGE_PUSH | IMAGE_DIRECT : IMAGE_PUSH;
  if (!work.direct) return 0;
  if (request.peers.transport[request.peer] === TRANSPORT_UDP || work.connectionBindings === 'flow')
    return IMAGE_DIRECT;
  return leadsToPhone(contact, exchange) ? IMAGE_DIRECT | IMAGE_BY_CONTACT : IMAGE_DIRECT;
}

function leadsToPhone(contact: number, { request, work }: Exchange): boolean {
  if (flowRegId(contact, work) > 0) return false;
  const scheme = table[contact + URI_SCHEME];
  if (scheme !== SCHEME_SIP && scheme !== SCHEME_SIPS) return true;
  let isSecure = scheme === SCHEME_SIPS;
  if (hasUriParam(slab, table, contact, TRANSPORT) && uriParamAt() >= 0) {
    if (isText(slab, uriParamAt(), uriParamEnd(), WS) || isText(slab, uriParamAt(), uriParamEnd(), WSS)) return false;
    isSecure ||= isText(slab, uriParamAt(), uriParamEnd(), TLS);
  }
  const hasMaddr = hasUriParam(slab, table, contact, MADDR) && uriParamAt() >= 0;
  const at = hasMaddr ? uriParamAt() : table[contact + URI_HOST_AT];
  const end = hasMaddr ? uriParamEnd() : table[contact + URI_HOST_END];
  if (isNowhere(at, end)) return false;
  if (work.connectionBindings === 'contact') return true;
  const family = readIpHost(slab, at, end, address);
  if (family === 0) return true;
  if (!isSource(family, request)) return !isLocalIp(family, address);
  const port = table[contact + URI_PORT] >= 0 ? table[contact + URI_PORT] : isSecure ? SIPS_PORT : SIP_PORT;
  return port !== request.peers.port[request.peer];
}

/** Whether the host is a name that no DNS resolves (RFC 6761, RFC 7118 §5.2). */
function isNowhere(at: number, end: number): boolean {
  const last = slab[end - 1] === DOT ? end - 1 : end;
  return isUnder(at, last, INVALID) || isUnder(at, last, LOCALHOST);
}

function isUnder(at: number, end: number, domain: Uint8Array): boolean {
  const from = end - domain.length;
  return from >= at && (from === at || slab[from - 1] === DOT) && isText(slab, from, end, domain);
}

function isSource(family: number, { peers, peer }: Readonly<ExchangeRequest>): boolean {
  if (peers.family[peer] !== family) return false;
  for (let i = 0, ip = peer << 4; i < (family === 6 ? 16 : 4); i++) if (peers.ip[ip + i] !== address[i]) return false;
  return true;
}
