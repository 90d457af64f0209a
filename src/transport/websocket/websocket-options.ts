// Options of a WebSocket listener, for either library.

import type { StreamListenerOptions } from '../flow/stream-listener.ts';
import type { TlsFiles } from '../node/tls-files.ts';
import type { HandshakeHook } from './websocket-handshake.ts';
import type { WebSocketPolicy } from './websocket-policy.ts';

export interface WebSocketOptions extends StreamListenerOptions {
  readonly webSocket: WebSocketPolicy;
  /** For WSS. */
  readonly tls?: TlsFiles;
  /** Whether this peer is a proxy whose X-Forwarded-For counts. */
  trustsProxy?(address: string): boolean;
  readonly handshake?: HandshakeHook;
}
