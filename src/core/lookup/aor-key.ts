// An AOR named by a person or another program: its canonical text, and its key, the keyed hash that a shard also makes of a
// request's To.

import { E_OK } from '../../sip/parser/parse-error.ts';
import { ABSENT, URI_INTS, URI_PARAMS_AT } from '../../sip/parser/span-table.ts';
import { aorText } from '../../sip/shown-text.ts';
import { SipHash } from '../../sip/siphash.ts';
import { canonicalAor, parseUri } from '../../sip/uri/uri.ts';

const AOR_BYTES = 1024;
/** A URI may have parameters beyond the AOR; a longer text names none. */
const URI_BYTES = 4096;
const SIP = 'sip:';
const AT_SIGN = 0x40;
const DASH = 0x2d;
const DOT = 0x2e;
/** Characters of a plain AOR: of its user; and those of its host, too: small letters and digits. */
const IN_USER = 1;
const IN_HOST = 2;
const KIND = new Uint8Array(128);
for (const character of 'ABCDEFGHIJKLMNOPQRSTUVWXYZ-_.+') KIND[character.charCodeAt(0)] = IN_USER;
for (const character of 'abcdefghijklmnopqrstuvwxyz0123456789') KIND[character.charCodeAt(0)] = IN_HOST;

export interface NamedAor {
  /** user@host, the host as canonicalAor writes it, with only the escapes that are needed to read it as the same AOR. */
  readonly text: string;
  /** Four words. Valid until the next AOR is read, as are the fields below. */
  readonly key: Uint32Array;
  /** The URI that was read, and its record. */
  readonly bytes: Uint8Array;
  readonly uri: Int32Array;
  /** The canonical text again, as bytes[0, length), and the start of its host. */
  readonly canonical: Uint8Array;
  readonly length: number;
  readonly hostAt: number;
}

/**
 * @param secret the data directory's
 * @returns a reader of an AOR given as `alice@example.com` or as a SIP URI; it returns undefined for other texts
 */
export function createAorReader(secret: Uint8Array): (aor: string) => NamedAor | undefined {
  const hash = new SipHash(secret.subarray(0, 16));
  const uri = new Int32Array(URI_INTS);
  const bytes = Buffer.alloc(URI_BYTES);
  const canonical = Buffer.alloc(AOR_BYTES);
  const keyOf = (of: Uint8Array, length: number): Uint32Array => {
    hash.begin();
    hash.span(of, 0, length);
    hash.end();
    return hash.out;
  };
  return (aor: unknown) => {
    if (typeof aor !== 'string') return undefined; // callers in JavaScript
    if (aor.length > URI_BYTES / 3) return undefined; // three bytes a character at most, and "sip:"
    const plainHostAt = aor.length > AOR_BYTES ? -1 : writePlain(aor, canonical);
    if (plainHostAt > 0) {
      const { length } = aor;
      uri[URI_PARAMS_AT] = ABSENT;
      return {
        text: aor,
        key: keyOf(canonical, length),
        bytes: canonical,
        uri,
        canonical,
        length,
        hostAt: plainHostAt,
      };
    }
    const from = isUri(aor) ? 0 : write(SIP, bytes, 0);
    const end = from + write(aor, bytes, from);
    if (parseUri(bytes, 0, end, uri, 0) !== E_OK) return undefined;
    const length = canonicalAor(bytes, uri, 0, canonical);
    if (length < 0) return undefined;
    const key = keyOf(canonical, length);
    const text = aorText(canonical, 0, length);
    const hostAt = canonical.lastIndexOf(AT_SIGN, length - 1) + 1;
    return { text, key, bytes, uri, canonical, length, hostAt };
  };
}

/**
 * Start of the host in a `user@host` that is its own canonical form, or -1. Only letters, digits and a few marks count; the host must be
 * a name in small letters.
 */
function writePlain(text: string, into: Uint8Array): number {
  let hostAt = -1;
  let label = 0;
  let before = DOT;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    const kind = code < 128 ? KIND[code] : 0;
    if (code === AT_SIGN) {
      if (hostAt >= 0 || i === 0) return -1;
      hostAt = label = i + 1;
    } else if (hostAt < 0) {
      if (kind === 0) return -1;
    } else if (code === DOT) {
      if (before === DOT || before === DASH) return -1;
      label = i + 1;
    } else if (code === DASH ? before === DOT : kind !== IN_HOST) return -1;
    before = code === AT_SIGN ? DOT : code;
    into[i] = code;
  }
  // A last label that starts like an address makes it one, or invalid.
  return hostAt < 0 || before === DOT || before === DASH || text.charCodeAt(label) <= 0x39 ? -1 : hostAt;
}

/** As Buffer.write, which crosses into C++: that takes longer than a short loop. */
function write(text: string, into: Buffer, at: number): number {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code > 0x7f) return into.write(text, at);
    into[at + i] = code;
  }
  return text.length;
}

/** "sip:" or "sips:" in any case. */
function isUri(text: string): boolean {
  const colon = text.charCodeAt(3) === 0x3a ? 3 : 4;
  return text.charCodeAt(colon) === 0x3a && /^sips?:/i.test(text);
}

/** A reader of keys alone: a copy that stays valid. */
export function createAorKey(secret: Uint8Array): (aor: string) => Uint32Array | undefined {
  const read = createAorReader(secret);
  return (aor) => read(aor)?.key.slice();
}
