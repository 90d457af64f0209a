// An AOR that a person or another program names: its canonical text, and its key, the same keyed hash that a shard takes of a
// request's To.

import { E_OK } from '../sip/parse-error.ts';
import { SipHash } from '../sip/siphash.ts';
import { URI_INTS } from '../sip/span-table.ts';
import { canonicalAor, parseUri } from '../sip/uri.ts';

const AOR_BYTES = 1024;

export interface NamedAor {
  /** user@host, without escapes, the host in lower case. */
  readonly text: string;
  /** Four words. Good until the next AOR is read, as is what follows. */
  readonly key: Uint32Array;
  /** The URI it was read from, and its record. */
  readonly bytes: Uint8Array;
  readonly uri: Int32Array;
}

/**
 * @param secret the data directory's
 * @returns reads an AOR given as `alice@example.com` or as a SIP URI; undefined where it is none
 */
export function createAorReader(secret: Uint8Array): (aor: string) => NamedAor | undefined {
  const hash = new SipHash(secret.subarray(0, 16));
  const uri = new Int32Array(URI_INTS);
  const canonical = Buffer.alloc(AOR_BYTES);
  return (aor) => {
    const bytes = Buffer.from(/^sips?:/i.test(aor) ? aor : `sip:${aor}`);
    if (parseUri(bytes, 0, bytes.length, uri, 0) !== E_OK) return undefined;
    const length = canonicalAor(bytes, uri, 0, canonical);
    if (length < 0) return undefined;
    hash.begin();
    hash.span(canonical, 0, length);
    hash.end();
    return { text: canonical.toString('utf8', 0, length), key: hash.out, bytes, uri };
  };
}

/** The key alone, for keeps. */
export function createAorKey(secret: Uint8Array): (aor: string) => Uint32Array | undefined {
  const read = createAorReader(secret);
  return (aor) => read(aor)?.key.slice();
}
