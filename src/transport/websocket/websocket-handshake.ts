// Admission of SIP WebSockets (RFC 7118 §4 and §7): sub-protocol, Origin policy, a program's hook, and the address of a client
// behind a proxy. Text in, a verdict out; no sockets.

import { isIP } from 'node:net';

/** A client's handshake (RFC 6455 §4.1). Header values are '' where it sent none. */
export interface Handshake {
  /** Path with the query, e.g. `/sip?token=…`. */
  readonly url: string;
  readonly host: string;
  /** Browsers always send it, other clients may not. */
  readonly origin: string;
  readonly cookie: string;
  readonly userAgent: string;
  /** `Authorization` of the HTTP request, not of SIP. */
  readonly authorization: string;
  /** The client's address as text. */
  readonly address: string;
}

/**
 * Decides about a handshake, from its cookies for example: true accepts the client, false answers 401 (RFC 7118 §7), an HTTP status
 * refuses with that status. Answers that take longer than 5 s are refusals. SIP authentication still follows.
 */
export type HandshakeHook = (handshake: Handshake) => boolean | number | Promise<boolean | number>;

/** Origins of pages that may connect: `https://phone.example.com`, `loopback` for pages of this machine, `*` for all. */
export type OriginPolicy = readonly string[];

export const SIP_PROTOCOL = 'sip';
/** The only version (RFC 6455 §4.1). */
const VERSION = '13';
const HOOK_MS_MAX = 5000;

/** The refusal of a client. */
export interface Refusal {
  /** HTTP status. */
  readonly status: number;
  readonly text: string;
}

export const NO_WEBSOCKET: Refusal = { status: 426, text: 'This is SIP over WebSocket.' };
export const NO_CAPACITY: Refusal = { status: 503, text: 'Too many connections.' };

/** The fault of a handshake, found before any hook is asked. @param protocols of all rows of Sec-WebSocket-Protocol, as one list */
export function faultOf(
  { version, protocols, origin }: { readonly version: string; readonly protocols: string; readonly origin: string },
  origins: OriginPolicy,
): Refusal | undefined {
  if (version.trim() !== VERSION) return { status: 426, text: 'The version is 13 (RFC 6455).' };
  if (!offersSip(protocols)) return { status: 400, text: 'The sub-protocol is "sip" (RFC 7118).' };
  if (!originAllowed(origins, origin)) return { status: 403, text: 'Pages of this origin may not connect.' };
  return undefined;
}

/** The status of a refusal and the further rows of its head (RFC 6455 §4.2.2, §4.4). A status that is no refusal becomes 500. */
export function refusalHead(status: number): { code: number; headers: readonly (readonly [string, string])[] } {
  const code = status >= 400 && status <= 599 ? Math.trunc(status) : 500;
  const upgrade = [
    ['Upgrade', 'websocket'],
    ['Sec-WebSocket-Version', VERSION],
  ] as const;
  return { code, headers: [['Content-Type', 'text/plain'], ...(code === 426 ? upgrade : [])] };
}

/**
 * Lets the hook decide, at once or later.
 * @param settle gets its verdict, once: undefined accepts the client
 * @returns a function that abandons the client
 */
export function askHook(
  hook: HandshakeHook,
  handshake: Handshake,
  settle: (refusal: Refusal | undefined) => void,
): () => void {
  let waits = true;
  const decide = (verdict: boolean | number) => {
    if (!waits) return;
    giveUp();
    const status = verdict === false ? 401 : Number(verdict);
    settle(verdict === true ? undefined : { status, text: 'Not let in.' });
  };
  const timer = setTimeout(() => decide(503), HOOK_MS_MAX);
  const giveUp = () => {
    waits = false;
    clearTimeout(timer);
  };
  new Promise<boolean | number>((resolve) => resolve(hook(handshake))).then(decide, () => decide(500));
  return giveUp;
}

/** Whether a list of sub-protocols offers SIP (§4.1); their names are compared exactly (RFC 6455 §11.3.4). */
function offersSip(protocols: string): boolean {
  return protocols.split(',').some((name) => name.trim() === SIP_PROTOCOL);
}

/**
 * Whether pages of this origin may connect. A client without an origin is no browser, and could have written any: it is accepted.
 */
function originAllowed(policy: OriginPolicy, origin: string): boolean {
  if (origin === '') return true;
  const own = origin.toLowerCase();
  return policy.some((allowed) => allowed === '*' || allowed === own || (allowed === 'loopback' && isLoopback(own)));
}

function isLoopback(origin: string): boolean {
  let host: string;
  try {
    host = new URL(origin).hostname;
  } catch {
    return false; // "null", of files and sandboxes, for example
  }
  return host === 'localhost' || host === '[::1]' || /^127\.[0-9.]+$/.test(host);
}

/** The last address of X-Forwarded-For, which the connected proxy wrote itself; the rest is not trustworthy. */
export function forwardedFor(header: string): string | undefined {
  const last = header.slice(header.lastIndexOf(',') + 1).trim();
  const address = last.replace(/^\[|\](:[0-9]+)?$/g, '');
  return isIP(address) === 0 ? undefined : address;
}
