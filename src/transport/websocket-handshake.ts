// Who may open a SIP WebSocket (RFC 7118 §4 and §7): sub-protocol, Origin policy, the hook that a program may put before
// it, and the address of a client behind a proxy. Text in, a verdict out; no sockets.

import { isIP } from 'node:net';

/** What a client said in its handshake (RFC 6455 §4.1). Header values are '' where it sent none. */
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
 * Decides about a handshake, from its cookies for one: true lets the client in, false answers 401 (RFC 7118 §7), an HTTP
 * status refuses with that. Answers that take longer than 5 s are refusals. SIP authentication still follows.
 */
export type HandshakeHook = (handshake: Handshake) => boolean | number | Promise<boolean | number>;

/** Origins of pages that may connect: `https://phone.example.com`, `loopback` for pages of this machine, `*` for all. */
export type OriginPolicy = readonly string[];

export const SIP_PROTOCOL = 'sip';

/** Whether a list of sub-protocols offers SIP (§4.1); their names are compared as they stand (RFC 6455 §11.3.4). */
export function offersSip(protocols: string): boolean {
  return protocols.split(',').some((name) => name.trim() === SIP_PROTOCOL);
}

/**
 * Whether pages of this origin may connect. A client that names none is no browser, and could have written what it
 * likes: it is let in.
 */
export function originAllowed(policy: OriginPolicy, origin: string): boolean {
  if (origin === '') return true;
  const own = origin.toLowerCase();
  return policy.some((allowed) => allowed === '*' || allowed === own || (allowed === 'loopback' && isLoopback(own)));
}

function isLoopback(origin: string): boolean {
  let host: string;
  try {
    host = new URL(origin).hostname;
  } catch {
    return false; // "null", of files and sandboxes, for one
  }
  return host === 'localhost' || host === '[::1]' || /^127\.[0-9.]+$/.test(host);
}

/** The last address of X-Forwarded-For, which the proxy that connects here wrote itself; the rest is hearsay. */
export function forwardedFor(header: string): string | undefined {
  const last = header.slice(header.lastIndexOf(',') + 1).trim();
  const address = last.replace(/^\[|\](:[0-9]+)?$/g, '');
  return isIP(address) === 0 ? undefined : address;
}
