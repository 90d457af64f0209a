// MD5 (RFC 1321) of a digest's text, computed by sip/simd/md5.ts in the memory that holds the text. Only for Digest with old
// clients; nothing else may rely on MD5.
// @hot

import { core as theCore } from '../../sip/parser/core.ts';
import { DIGEST_OUT, DIGEST_TEXT, DIGEST_TEXT_BYTES } from '../../sip/parser/memory-map.ts';
import { memory } from '../../sip/parser/slab.ts';

const core = theCore;
const MD5_BYTES = 16;
const result = new Uint8Array(memory.buffer, DIGEST_OUT, MD5_BYTES);

/** The text of a digest. The bytes behind it are overwritten. */
export const digestText = new Uint8Array(memory.buffer, DIGEST_TEXT, DIGEST_TEXT_BYTES);

/** The digest of digestText[0, length), 16 bytes into `digest`. */
export function md5(length: number, digest: Uint8Array): void {
  core.md5(DIGEST_TEXT, length, DIGEST_OUT);
  for (let i = 0; i < MD5_BYTES; i++) digest[i] = result[i];
}

/** Appends slab[at, end) to the text of this length. Returns its new length. */
export function appendSpan(length: number, at: number, end: number): number {
  core.copyBytes(DIGEST_TEXT + length, at, end - at);
  return length + end - at;
}
