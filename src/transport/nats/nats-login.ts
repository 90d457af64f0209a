// A client's proof of identity to a NATS server: the content of a credentials file, and the fields of CONNECT that follow from
// it.

import { createPrivateKey, createPublicKey, sign } from 'node:crypto';

/** The content of a credentials file. Crosses to threads. */
export type NatsLogin =
  | { readonly kind: 'none' }
  | { readonly kind: 'password'; readonly user: string; readonly password: string }
  | { readonly kind: 'token'; readonly token: string }
  /** @param seed of an nkey (`SU…`) @param jwt of that key; empty: the key alone */
  | { readonly kind: 'key'; readonly seed: string; readonly jwt: string };

const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
const SEED_BYTES = 32;
/** Prefix of the DER form of an Ed25519 private key, before its 32 bytes (RFC 8410 §7). */
const PKCS8_ED25519 = Buffer.from('302e020100300506032b657004220420', 'hex');
const PREFIX_USER = 20 << 3;

/**
 * Reads a credentials file: NATS's own (`.creds`, a JWT and a seed), a seed alone, `user:password`, or a token.
 * Throws a RangeError that names no secret.
 */
export function parseLogin(content: string): NatsLogin {
  const jwt = block(content, 'NATS USER JWT');
  const seed = block(content, 'USER NKEY SEED') ?? content.trim();
  if (jwt !== undefined || /^SU[A-Z2-7]{50,}$/.test(seed)) {
    privateKey(seed);
    return { kind: 'key', seed, jwt: jwt ?? '' };
  }
  const line = content.trim();
  if (line === '' || /\s/.test(line))
    throw new RangeError('expected NATS credentials: a .creds file, an nkey seed, one line `user:password` or a token');
  const colon = line.indexOf(':');
  if (colon < 0) return { kind: 'token', token: line };
  return { kind: 'password', user: line.slice(0, colon), password: line.slice(colon + 1) };
}

/** Fields of CONNECT. @param nonce of the server's INFO, where it has one */
export function loginFields(login: NatsLogin, nonce: string | undefined): Record<string, string> {
  if (login.kind === 'none') return {};
  if (login.kind === 'password') return { user: login.user, pass: login.password };
  if (login.kind === 'token') return { auth_token: login.token };
  const key = privateKey(login.seed);
  const sig = sign(null, Buffer.from(nonce ?? ''), key).toString('base64url');
  return login.jwt === '' ? { nkey: publicName(login.seed), sig } : { jwt: login.jwt, sig };
}

function block(content: string, name: string): string | undefined {
  return new RegExp(`-----BEGIN ${name}-----\\s*(\\S+)\\s*-+END ${name}-+`).exec(content)?.[1];
}

function privateKey(seed: string) {
  const bytes = fromBase32(seed);
  if (bytes.length < 2 + SEED_BYTES) throw new RangeError('the seed of the NATS credentials is too short');
  const der = Buffer.concat([PKCS8_ED25519, bytes.subarray(2, 2 + SEED_BYTES)]);
  return createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
}

/** The public key in the form of NATS user names: a prefix, the key and a CRC-16, in base32. */
function publicName(seed: string): string {
  const spki = createPublicKey(privateKey(seed)).export({ format: 'der', type: 'spki' });
  const named = Buffer.concat([Buffer.from([PREFIX_USER]), spki.subarray(-SEED_BYTES)]);
  const crc = crc16(named);
  return toBase32(Buffer.concat([named, Buffer.from([crc & 255, crc >> 8])]));
}

function fromBase32(letters: string): Buffer {
  const bytes: number[] = [];
  let value = 0;
  let bits = 0;
  for (const letter of letters) {
    const digit = BASE32.indexOf(letter);
    if (digit < 0) throw new RangeError('the seed of the NATS credentials is no base32');
    value = ((value << 5) | digit) & 0xfff;
    bits += 5;
    if (bits < 8) continue;
    bits -= 8;
    bytes.push((value >> bits) & 255);
  }
  return Buffer.from(bytes);
}

function toBase32(bytes: Buffer): string {
  let letters = '';
  let value = 0;
  let bits = 0;
  for (const byte of bytes) {
    value = ((value << 8) | byte) & 0xfff;
    for (bits += 8; bits >= 5; bits -= 5) letters += BASE32[(value >> (bits - 5)) & 31];
  }
  return bits > 0 ? letters + BASE32[(value << (5 - bits)) & 31] : letters;
}

/** CRC-16 of XMODEM. */
function crc16(bytes: Buffer): number {
  let crc = 0;
  for (const byte of bytes) {
    crc ^= byte << 8;
    for (let i = 0; i < 8; i++) crc = ((crc << 1) ^ (crc & 0x8000 ? 0x1021 : 0)) & 0xffff;
  }
  return crc;
}
