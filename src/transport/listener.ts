// A listener's transport and address, their text, and the reasons why it cannot be bound. server/config/listener-text.ts has the
// form in the configuration.

import { TRANSPORT_NAMES } from '../sip/sources.ts';

export const LISTEN_TRANSPORTS = TRANSPORT_NAMES;

export type ListenTransport = (typeof LISTEN_TRANSPORTS)[number];

export interface ListenAddress {
  readonly transport: ListenTransport;
  /** An IPv4 or IPv6 address, without brackets. */
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
}

/** TRANSPORT_* of sip/sources. */
export const TRANSPORT_CODE = Object.fromEntries(LISTEN_TRANSPORTS.map((name, code) => [name, code])) as Readonly<
  Record<ListenTransport, number>
>;

/** `udp:127.0.0.1:5060`, `udp:[::1]:5060`. */
export function formatListener(transport: string, host: string, port: number): string {
  return host.includes(':') ? `${transport}:[${host}]:${port}` : `${transport}:${host}:${port}`;
}

/** The error for a listener that cannot be bound; `code` is Node's errno name. */
export function bindError(code: string, listener: string): Error {
  const error: NodeJS.ErrnoException = new Error(`${BIND_REASONS[code] ?? `cannot listen (${code})`}: ${listener}`);
  error.code = code;
  return error;
}

const BIND_REASONS: { readonly [code: string]: string } = {
  EADDRINUSE: 'address in use',
  EADDRNOTAVAIL: 'address not of this machine',
  EACCES: 'not allowed to bind',
  EAFNOSUPPORT: 'address family not supported',
  EINVAL: 'not an address to listen on',
};
