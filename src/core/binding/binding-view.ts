// A binding in the form for programs and proxies: plain data made from an image. For lookups and events; the registrar itself
// makes none.

import { writeIp } from '../../sip/ip.ts';
import { escapeUnseen, shownText, uriText } from '../../sip/shown-text.ts';
import { TRANSPORT_NAMES } from '../../sip/sources.ts';
import {
  callIdEnd,
  cseqOf,
  displayAt,
  expiresAtOf,
  familyOf,
  hasFlag,
  instanceAt,
  instanceEnd,
  ipAt,
  nodeOf,
  paramsEnd,
  pathEnd,
  portOf,
  qOf,
  refreshedAtOf,
  regIdOf,
  registeredAtOf,
  transportOf,
  uriAt,
  uriEnd,
  userAgentEnd,
} from './binding.ts';
import { IMAGE_DIRECT, IMAGE_STATIC } from './image-layout.ts';
import { type FlowLiveness, ownFlow } from './live-flow.ts';

/** Feature parameters without "+" (RFC 3840 §9, RFC 4569 and the other ones at IANA). */
const FEATURES = new Set(
  (
    'audio automata class duplex data control mobility description events priority methods schemes application video ' +
    'language type isfocus actor text extensions'
  ).split(' '),
);

export type Transport = (typeof TRANSPORT_NAMES)[number];

/** Push parameters of a contact as they were sent (RFC 8599 §14); a refreshed contact is the same device where all three match (§5.3). */
export interface Push {
  readonly provider: string;
  readonly param?: string;
  readonly prid?: string;
}

/** One binding of an address-of-record (AOR). */
export interface Binding {
  /** The Contact URI as registered, without brackets; invisible characters are escaped. */
  readonly uri: string;
  /** Display name as sent. */
  readonly display?: string;
  /** 0 to 1; 1 where the contact has none (RFC 3261 §20.10). */
  readonly q: number;
  /** Whole seconds until it expires; 0 for less than one. Infinity: it never expires. */
  readonly expires: number;
  /** Expiry, epoch ms. */
  readonly expiresAt: number;
  readonly registeredAt: number;
  readonly refreshedAt: number;
  /** Path (RFC 3327), topmost first: the route set of requests to this contact. Each with its brackets. */
  readonly path: readonly string[];
  /** Source of the REGISTER; with a Path, the last proxy. */
  readonly source: { readonly address: string; readonly port: number; readonly transport: Transport };
  /**
   * The same as a SIP URI: the target for a user agent behind NAT without a proxy before it. Empty for a static binding, and after its
   * connection has closed: then the target is the URI.
   */
  readonly received: string;
  /** Aorta has the connection or the address of the user agent itself, with no proxy between. */
  readonly direct: boolean;
  /** Number of the user agent's own connection to Aorta, while it is open. */
  readonly flow?: number;
  /** The node that holds the connection, where there are several. */
  readonly node?: number;
  /** +sip.instance without quotes and brackets (RFC 5626 §4.1). */
  readonly instance?: string;
  /** Public GRUU of the instance (RFC 5627), where lookups know it. */
  readonly gruu?: string;
  /** RFC 5626. */
  readonly regId?: number;
  /** Capabilities of the user agent (RFC 3840): feature parameters by lower-case name, without quotes; true without value. */
  readonly capabilities: Readonly<Record<string, string | true>>;
  /** The other Contact parameters, in the same form. */
  readonly params: Readonly<Record<string, string | true>>;
  /** Where the URI names a push service (RFC 8599): the push address of the device, and the parameters that identify it after it woke. */
  readonly push?: Push;
  /**
   * Of a pinged contact: pings in a row without an answer; round-trip time and moment (epoch ms) of the last answer, where lookups know them.
   */
  readonly ping?: { readonly losses: number; readonly rttMs?: number; readonly answeredAt?: number };
  readonly callId: string;
  readonly cseq: number;
  readonly userAgent?: string;
  /** Made by an operator. */
  readonly static?: true;
}

/**
 * Makes one of the image at bytes[at].
 * @param now epoch ms
 * @param flows open connections: the binding's is left out if it has closed; null: not known
 */
export function viewBinding(bytes: Uint8Array, at: number, now: number, flows: FlowLiveness | null = null): Binding {
  const text = (from: number, to: number): string => shownText(bytes, from, to);
  const expiresAt = expiresAtOf(bytes, at);
  const display = text(displayAt(bytes, at), uriAt(bytes, at)).trim();
  const instance = text(instanceAt(bytes, at), instanceEnd(bytes, at));
  const regId = regIdOf(bytes, at);
  const userAgent = text(callIdEnd(bytes, at), userAgentEnd(bytes, at));
  const direct = hasFlag(bytes, at, IMAGE_DIRECT);
  const transport = TRANSPORT_NAMES[transportOf(bytes, at)];
  const isStatic = hasFlag(bytes, at, IMAGE_STATIC);
  const flow = ownFlow(bytes, at);
  const hasEnded = flow !== 0 && flows?.isAlive(flow, nodeOf(bytes, at)) === false;
  const uri = uriText(bytes, uriAt(bytes, at), uriEnd(bytes, at));
  return {
    uri,
    ...(display !== '' && { display }),
    q: qOf(bytes, at) / 1000,
    expires: isStatic ? Number.POSITIVE_INFINITY : Math.max(0, Math.floor((expiresAt - now) / 1000)),
    expiresAt,
    registeredAt: registeredAtOf(bytes, at),
    refreshedAt: refreshedAtOf(bytes, at),
    path: split(uriText(bytes, userAgentEnd(bytes, at), pathEnd(bytes, at)), ','),
    ...sourceOf(bytes, at, transport),
    ...(hasEnded && { received: '' }),
    direct,
    ...(flow !== 0 && !hasEnded && { flow }),
    ...(flow !== 0 && nodeOf(bytes, at) > 0 && { node: nodeOf(bytes, at) }),
    ...(instance !== '' && { instance }),
    ...(regId > 0 && { regId }),
    ...parameters(bytes, uriEnd(bytes, at), paramsEnd(bytes, at)),
    ...pushOf(uri),
    callId: text(paramsEnd(bytes, at), callIdEnd(bytes, at)),
    cseq: cseqOf(bytes, at),
    ...(userAgent !== '' && { userAgent }),
    ...(isStatic && { static: true as const }),
  };
}

function sourceOf(bytes: Uint8Array, at: number, transport: Transport): Pick<Binding, 'source' | 'received'> {
  const address = addressOf(bytes, at);
  const port = portOf(bytes, at);
  if (port === 0) return { source: { address, port, transport }, received: '' };
  const host = familyOf(bytes, at) === 6 ? `[${address}]` : address;
  return { source: { address, port, transport }, received: `sip:${host}:${port};transport=${transport}` };
}

function addressOf(bytes: Uint8Array, at: number): string {
  const row = { family: Uint8Array.of(familyOf(bytes, at)), ip: bytes.subarray(ipAt(at), ipAt(at) + 16) };
  const into = new Uint8Array(48);
  return Buffer.from(into.buffer, 0, writeIp(row, 0, into)).toString('latin1');
}

/** Without pn-provider there is no push (RFC 8599 §4.1.1). */
function pushOf(uri: string): { push?: Push } {
  const found: Record<string, string> = {};
  const [head] = uri.slice(uri.indexOf('@') + 1).split('?', 1);
  for (const [, name, value] of head.matchAll(/;pn-(provider|param|prid)=([^;]+)/gi))
    found[name.toLowerCase()] ??= value;
  const { provider, param, prid } = found;
  if (provider === undefined) return {};
  return { push: { provider, ...(param !== undefined && { param }), ...(prid !== undefined && { prid }) } };
}

/** Parts at `divider`, outside quotes and brackets, trimmed; empty ones left out. */
function split(text: string, divider: string): string[] {
  const parts: string[] = [];
  let quoted = false;
  let angled = false;
  let part = '';
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (!quoted && !angled && c === divider) {
      parts.push(part.trim());
      part = '';
      continue;
    }
    part += c;
    if (quoted && c === '\\') part += text[++i] ?? '';
    else if (c === '"' && !angled) quoted = !quoted;
    else if (!quoted && (c === '<' || c === '>')) angled = c === '<';
  }
  parts.push(part.trim());
  return parts.filter((value) => value !== '');
}

/** Without q, reg-id and +sip.instance, which have fields of their own. Quotes are removed first: the escapes add no quoted pairs. */
function parameters(bytes: Uint8Array, from: number, to: number): Pick<Binding, 'capabilities' | 'params'> {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset + from, to - from).toString();
  const capabilities: Record<string, string | true> = Object.create(null);
  const params: Record<string, string | true> = Object.create(null);
  for (const part of split(text, ';')) {
    const equals = part.indexOf('=');
    const name = (equals < 0 ? part : part.slice(0, equals)).trim().toLowerCase();
    if (name === 'q' || name === 'reg-id' || name === '+sip.instance') continue;
    const into = name.startsWith('+') || FEATURES.has(name) ? capabilities : params;
    into[name] = equals < 0 ? true : escapeUnseen(unquoted(part.slice(equals + 1).trim()));
  }
  return { capabilities, params };
}

function unquoted(value: string): string {
  if (!value.startsWith('"') || !value.endsWith('"') || value.length < 2) return value;
  return value.slice(1, -1).replace(/\\(.)/g, '$1');
}
