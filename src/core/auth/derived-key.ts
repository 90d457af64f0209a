// Keys for single purposes, derived from the data directory's one secret, so that no two uses share a key.

import { SipHash } from '../../sip/siphash.ts';
import { ascii } from '../../sip/writer.ts';

/**
 * 16 bytes derived from the whole secret and the purpose.
 * @param secret 32 bytes
 */
export function deriveKey(secret: Uint8Array, purpose: string): Uint8Array {
  const label = ascii(purpose);
  const hash = new SipHash(secret.subarray(0, 16), 2, 4);
  hash.begin();
  hash.span(secret, 16, 32);
  hash.span(label, 0, label.length);
  hash.end();
  const key = new Uint8Array(16);
  const view = new DataView(key.buffer);
  for (let i = 0; i < 4; i++) view.setUint32(4 * i, hash.out[i], true);
  return key;
}

const HEX_DIGITS = '0123456789abcdef';

/** The first eight bytes of such a key as hex digits. @cold */
export function deriveText(secret: Uint8Array, purpose: string): string {
  const bytes = deriveKey(secret, purpose);
  let text = '';
  for (let i = 0; i < 8; i++) text += HEX_DIGITS[bytes[i] >> 4] + HEX_DIGITS[bytes[i] & 15];
  return text;
}
