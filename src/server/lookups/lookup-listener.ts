// A separate listener for lookups by HTTP, because proxies use it for every call (docs/decisions/0066). It uses uWebSockets.js where
// that loads, else node:http, for 1.4 times the CPU (docs/benchmarks.md).

import { uWebSockets } from '../../transport/websocket/uwebsockets.ts';
import { isLoopback } from '../config/listener-text.ts';
import type { HttpAddress } from '../config/sections/lookup-config.ts';
import { HttpToken, listenerAccess } from '../http/http-access.ts';
import type { ConnectionLimits } from '../http/http-connections.ts';
import { HttpServer } from '../http/http-server.ts';
import { HttpSurface } from '../http/http-surface.ts';
import { Routes } from '../http/route.ts';
import { openUwsServer } from '../http/uws-server.ts';
import type { Log } from '../process/log.ts';
import { LookupQueue } from './lookup-queue.ts';
import { addLookupRoutes, type Lookups } from './lookup-routes.ts';

const TOKEN_FILE = 'lookup.token';
const LIMITS: ConnectionLimits = { descriptors: 'lookup', connections: 1024, perSource: 1024, forHealth: 0 };

export interface LookupListener {
  /** The address with its real port. */
  readonly address: HttpAddress;
  /** Reads the token's file again; returns its name if the token has changed. Throws the system's error. */
  reloadToken(): readonly string[];
  close(): Promise<void>;
}

/**
 * Listens. Rejects with the system's error where the address cannot be bound.
 * @param data directory with the token, which is required where other machines can reach the address
 */
export async function openLookupListener(
  { host, port }: HttpAddress,
  data: string,
  lookups: Lookups,
  log: Log,
  library = uWebSockets(),
): Promise<LookupListener> {
  const wanted = { scheme: 'http', host, port } as const;
  const changed = () => log('info', 'token changed', { file: TOKEN_FILE });
  const token = isLoopback(host) ? undefined : new HttpToken(data, TOKEN_FILE, changed);
  const surface = new HttpSurface({ access: listenerAccess(wanted, token, false), log, bodyTypes: 'any' });
  const queue = new LookupQueue();
  addLookupRoutes(new Routes(surface), lookups, queue);
  const { address, close } =
    typeof library === 'string'
      ? await openNodeServer(new HttpServer({ address: wanted, surface, log, limits: LIMITS }))
      : openUwsServer(library, wanted, surface, LIMITS);
  return {
    address: { host, port: address.port },
    reloadToken: () => (token?.reload() ? [token.name] : []),
    close: async () => {
      queue.close();
      await close();
    },
  };
}

async function openNodeServer(server: HttpServer) {
  return { address: await server.listen(), close: () => server.close() };
}
