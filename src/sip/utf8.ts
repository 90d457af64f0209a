// Whether bytes are UTF-8 (RFC 3629 §4): a header's text may have no other bytes from 0x80 on (RFC 3261 §25.1).
// @hot

/** Lengths of sequences by their first byte, from 0x80 on: 0 for a byte that begins none. */
function lengthOf(byte: number): number {
  if (byte < 0xc2 || byte > 0xf4) return 0;
  if (byte < 0xe0) return 2;
  return byte < 0xf0 ? 3 : 4;
}

/** Bounds of the second byte: they exclude overlong forms, surrogates and characters beyond U+10FFFF. */
function mayFollow(first: number, second: number): boolean {
  if (first === 0xe0) return second >= 0xa0;
  if (first === 0xed) return second < 0xa0;
  if (first === 0xf0) return second >= 0x90;
  return first !== 0xf4 || second < 0x90;
}

export function isUtf8(bytes: Uint8Array, at: number, end: number): boolean {
  for (let p = at; p < end; ) {
    const first = bytes[p];
    if (first < 0x80) {
      p++;
      continue;
    }
    const length = lengthOf(first);
    if (length === 0 || p + length > end) return false;
    for (let i = 1; i < length; i++) if ((bytes[p + i] & 0xc0) !== 0x80) return false;
    if (!mayFollow(first, bytes[p + 1])) return false;
    p += length;
  }
  return true;
}
