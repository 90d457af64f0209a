// Limits of WebSocket listeners beside those of every connection (stream-policy.ts), in one place.

import type { OriginPolicy } from './websocket-handshake.ts';

export interface WebSocketPolicy {
  /** Seconds of silence after which a connection is dead; a ping is sent before that. 8 to 960. */
  readonly idleS: number;
  /** Pages that may connect. */
  readonly origins: OriginPolicy;
  /** Cookie whose value is an access token, for REGISTERs without credentials; '': none. */
  readonly tokenCookie: string;
  /** Prefixes of proxies whose X-Forwarded-For names the client. */
  readonly trustedProxies: readonly string[];
}

export const DEFAULT_WEBSOCKET_POLICY: WebSocketPolicy = {
  idleS: 120,
  origins: ['*'],
  tokenCookie: '',
  trustedProxies: [],
};
