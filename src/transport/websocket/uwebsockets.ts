// uWebSockets.js, where a build of it loads: its packages are optional, and not every pair of Node and C library has one. A binary
// is loaded only if its hash is the pinned one.

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { UWebSockets } from './uws-api.ts';
import { UWS_BINARIES, type UwsBinary } from './uws-binaries.ts';

const ADVICE =
  'it loads on Linux x64 with Node 22 and later and glibc 2.38 (Debian 13, Ubuntu 24.04), or with Node 20 and 22 and an older one; ' +
  'after a change of Node run "npm install" again';
/** Header bytes of one request: the same limit as Node's. The library reads it when it is loaded. */
const HEADER_BYTES_MAX = 16 << 10;

const require = createRequire(import.meta.url);
let library: UWebSockets | string | undefined;

/** The library, or the reason why there is none and its remedy. */
export function uWebSockets(): UWebSockets | string {
  library ??= load();
  return library;
}

function load(): UWebSockets | string {
  process.env.UWS_HTTP_MAX_HEADERS_SIZE ??= String(HEADER_BYTES_MAX);
  const node = Number(process.versions.node.split('.', 1)[0]);
  const reasons: string[] = [];
  for (const binary of UWS_BINARIES.filter((each) => each.node === node)) {
    try {
      return loadBinary(binary);
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      reasons.push(`${binary.name}: ${text.split('\n', 1)[0]}`);
    }
  }
  const why = reasons.length > 0 ? reasons.join('; ') : `there is none for Node ${node}`;
  return `no build of it loads here (${why}); ${ADVICE}`;
}

/** @param file of the addon; the package's own by default. Throws where it is missing, is not the pinned one, or does not load. */
export function loadBinary(binary: UwsBinary, file = require.resolve(`${binary.name}/uws.node`)): UWebSockets {
  const sha256 = createHash('sha256').update(readFileSync(file)).digest('hex');
  if (sha256 !== binary.sha256)
    throw new Error(
      `${file} is not the binary that Aorta was tested with (sha256 ${sha256}): install the package again`,
    );
  return require(file) as UWebSockets;
}
