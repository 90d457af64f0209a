// uWebSockets.js, where a build of it loads here: its packages are optional, and there is none for every pair of Node and C
// library. What is done with it is its users'.

import { createRequire } from 'node:module';
import type * as Uws from 'uwebsockets-20.69';

export type UWebSockets = Pick<
  typeof Uws,
  'App' | 'SSLApp' | 'DISABLED' | 'us_listen_socket_close' | 'us_socket_local_port'
>;

/** Packages that bring the library, newest first: the first that loads on this machine is used. */
const PACKAGES = ['uwebsockets-20.69', 'uwebsockets-20.51'] as const;
const ADVICE =
  'they load on Node 22 and later with glibc 2.38 (Debian 13, Ubuntu 24.04), or on Node 20 and 22 with an older one; after a change of Node run "npm install" again';
/** Of one request: as Node's own. The library reads it when it is loaded. */
const HEADER_BYTES_MAX = 16 << 10;

let library: UWebSockets | string | undefined;

/** The library, or why there is none and what to do about it. */
export function uWebSockets(): UWebSockets | string {
  library ??= load();
  return library;
}

function load(): UWebSockets | string {
  process.env.UWS_HTTP_MAX_HEADERS_SIZE ??= String(HEADER_BYTES_MAX);
  const require = createRequire(import.meta.url);
  const reasons: string[] = [];
  for (const name of PACKAGES) {
    try {
      return require(name) as UWebSockets;
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      reasons.push(`${name}: ${/^Error: (.*)$/m.exec(text)?.[1] ?? text.split('\n', 1)[0]}`);
    }
  }
  return `neither build of it loads here (${reasons.join('; ')}); ${ADVICE}`;
}
