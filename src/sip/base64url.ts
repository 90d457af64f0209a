// Words as URL-safe text and back (RFC 4648 §5, without padding): for nonces and tokens, whose texts have a fixed length.
// @hot

const ALPHABET = Uint8Array.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_', (c) =>
  c.charCodeAt(0),
);
const VALUE = values();

function values(): Uint8Array {
  const table = new Uint8Array(256).fill(255);
  for (let i = 0; i < ALPHABET.length; i++) table[ALPHABET[i]] = i;
  return table;
}

/** Encodes 32-bit words, a multiple of three, as characters of six bits each, the highest first. */
export function encodeBase64Url(raw: Uint32Array, text: Uint8Array): void {
  for (let i = 0, p = 0; i < raw.length; i += 3) {
    const a = raw[i];
    const b = raw[i + 1];
    const c = raw[i + 2];
    for (let shift = 26; shift >= 2; shift -= 6) text[p++] = ALPHABET[(a >>> shift) & 63];
    text[p++] = ALPHABET[((a & 3) << 4) | (b >>> 28)];
    for (let shift = 22; shift >= 4; shift -= 6) text[p++] = ALPHABET[(b >>> shift) & 63];
    text[p++] = ALPHABET[((b & 15) << 2) | (c >>> 30)];
    for (let shift = 24; shift >= 0; shift -= 6) text[p++] = ALPHABET[(c >>> shift) & 63];
  }
}

/**
 * Fills the words from as many characters as they need; false for a character outside the alphabet. No two texts have the
 * same bits.
 */
export function decodeBase64Url(bytes: Uint8Array, at: number, raw: Uint32Array): boolean {
  let wrong = 0;
  for (let i = 0, p = at; i < raw.length; i += 3) {
    let a = 0;
    let b = 0;
    let c = 0;
    for (let k = 0; k < 5; k++, p++) {
      wrong |= VALUE[bytes[p]];
      a = (a << 6) | VALUE[bytes[p]];
    }
    const ab = VALUE[bytes[p++]];
    for (let k = 0; k < 4; k++, p++) {
      wrong |= VALUE[bytes[p]];
      b = (b << 6) | VALUE[bytes[p]];
    }
    const bc = VALUE[bytes[p++]];
    for (let k = 0; k < 5; k++, p++) {
      wrong |= VALUE[bytes[p]];
      c = (c << 6) | VALUE[bytes[p]];
    }
    wrong |= ab | bc;
    raw[i] = (a << 2) | (ab >>> 4);
    raw[i + 1] = (ab << 28) | (b << 4) | (bc >>> 2);
    raw[i + 2] = (bc << 30) | c;
  }
  return wrong <= 63;
}
