// What a server listens on: a transport and an address. How it is written is ip-address.ts's and server/config/listener-text.ts's.

import { TRANSPORT_TCP, TRANSPORT_TLS, TRANSPORT_UDP, TRANSPORT_WS, TRANSPORT_WSS } from '../sip/sources.ts';

export const LISTEN_TRANSPORTS = ['udp', 'tcp', 'tls', 'ws', 'wss'] as const;

export type ListenTransport = (typeof LISTEN_TRANSPORTS)[number];

export interface ListenAddress {
  readonly transport: ListenTransport;
  /** An IPv4 or IPv6 address, without brackets. */
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
}

/** TRANSPORT_* of sip/sources. */
export const TRANSPORT_CODE: Readonly<Record<ListenTransport, number>> = {
  udp: TRANSPORT_UDP,
  tcp: TRANSPORT_TCP,
  tls: TRANSPORT_TLS,
  ws: TRANSPORT_WS,
  wss: TRANSPORT_WSS,
};
