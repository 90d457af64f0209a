// Chooses the library of a WebSocket listener (docs/decisions/0055): uWebSockets.js where TLS is used and a build of it loads, else ws.

import type { StreamListener } from '../flow/stream-listener.ts';
import { uWebSockets } from './uwebsockets.ts';
import type { WebSocketOptions } from './websocket-options.ts';

/** The cost of ws where uWebSockets.js would serve. */
export const WS_COST =
  'some 1.7 times the CPU a message, twice that of a handshake, and several times the memory a connection';

/**
 * Opens one listener. Throws an Error whose message names the missing part: address, certificate or key.
 * @param library of this machine, or why there is none
 */
export async function openWebSocketListener(
  options: WebSocketOptions,
  library = uWebSockets(),
): Promise<StreamListener> {
  if (options.tls === undefined) return (await import('./websocket-node.ts')).openNodeWebSocketListener(options);
  if (typeof library !== 'string') return (await import('./websocket-uws.ts')).openUwsListener(library, options);
  const { events, listener } = options;
  events.notice('WebSockets by the package ws', { listener, reason: library, cost: WS_COST });
  return (await import('./websocket-node.ts')).openNodeWebSocketListener(options);
}
