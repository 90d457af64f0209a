// The HTTP door of the location service: a listener of its own, because it is asked for every call (docs/decisions/0066). By
// uWebSockets.js where that loads, else by node:http, for 1.4 times the CPU (docs/benchmarks.md). What is answered is
// lookup-routes.ts's.

import { uWebSockets } from '../../transport/websocket/uwebsockets.ts';
import { isLoopback } from '../config/listener-text.ts';
import type { HttpAddress } from '../config/sections/lookup-config.ts';
import { localOnly, openToken, withToken } from '../http/http-access.ts';
import type { LookupHttp } from './lookup-door.ts';
import { openNodeDoor } from './lookup-http-node.ts';
import { openUwsDoor } from './lookup-http-uws.ts';
import { type Find, LookupRoutes } from './lookup-routes.ts';

const TOKEN_FILE = 'lookup.token';

/**
 * Listens. Rejects with the system's error where the address cannot be had.
 * @param data directory that the token lies in; it is asked for where other machines can reach the address
 */
export async function openLookupHttp(
  address: HttpAddress,
  data: string,
  find: Find,
  library = uWebSockets(),
): Promise<LookupHttp> {
  const access = isLoopback(address.host) ? localOnly(false) : withToken(openToken(data, TOKEN_FILE), TOKEN_FILE);
  const routes = new LookupRoutes(find);
  if (typeof library === 'string') return openNodeDoor(address, access, routes);
  return openUwsDoor(library, address, access, routes);
}
