// GRUUs as texts (RFC 5627 §5.4). A public one is the AOR with the instance ID in `gr`; a temporary one is a sealed token with
// AOR and instance, read without memory. This file reads them; simd/gruu.ts writes them; gruu-rules.ts begins and ends them.
//
// A token is 48 bytes: a synthetic IV and 32 bytes of ciphertext, in the manner of SIV (RFC 5297). The IV is a code (SipHash-2-4)
// over contents and domain under one key, and starts the key stream (the same hash under another). Reasons: docs/decisions/0061.

import { decodeBase64Url } from '../../sip/base64url.ts';
import {
  SCHEME_SIP,
  SCHEME_SIPS,
  URI_HOST_AT,
  URI_HOST_END,
  URI_SCHEME,
  URI_USER_AT,
  URI_USER_END,
} from '../../sip/parser/span-table.ts';
import { HEX, LOWER, PERCENT } from '../../sip/scanner.ts';
import { SipHash } from '../../sip/siphash.ts';
import { hasUriParam, uriParamAt, uriParamEnd } from '../../sip/uri/uri-param.ts';
import { ascii } from '../../sip/writer.ts';
import { deriveKey } from '../auth/derived-key.ts';
import { epochOf, instanceAt, instanceEnd } from '../binding/binding.ts';
import { GRUU_INSTANCE_BYTES_MAX } from '../binding/image-layout.ts';
import { foldedLength, sameInstance } from '../binding/instance-id.ts';
import { keyWords } from '../wasm/request-module.ts';

/** Results of `Gruus.read`. */
export const GRUU_NONE = 0; // it has no gr
export const GRUU_PUBLIC = 1;
export const GRUU_TEMPORARY = 2;
/** It has a gr that this server never issued: 404 (RFC 5627 §6.1). */
export const GRUU_INVALID = 3;

const TOKEN_CHARS = 64;
// Places in the token's words: IV first, then the sealed words.
const AOR_KEY = 4;
const EPOCH = 8;
// CSeq and reg-id of the binding behind it; the last word is zero.
const WORDS = 12;

const GR = ascii('gr');
export class Gruus {
  /** Of the temporary GRUU read last: the key of its AOR (as AorState.key), and the epoch of its instance's bindings. */
  readonly aorKey = new Uint32Array(4);
  epoch = 0;
  private kind = GRUU_NONE;
  /** Of the public GRUU read last. */
  private readonly instance = new Uint8Array(GRUU_INSTANCE_BYTES_MAX);
  private instanceLength = 0;
  /** Keys of the tokens: four words each. */
  readonly codeWords: Int32Array;
  readonly streamWords: Int32Array;
  private readonly code: SipHash;
  private readonly stream: SipHash;
  private readonly words = new Uint32Array(WORDS);
  private readonly text = new Uint8Array(TOKEN_CHARS);

  /**
   * @param secret 32 bytes, the same on every shard and node
   * @param generation number of the keys; another one ends every temporary GRUU
   */
  constructor(secret: Uint8Array, generation = 0) {
    const codeKey = deriveKey(secret, `gruu code ${generation}`);
    const streamKey = deriveKey(secret, `gruu stream ${generation}`);
    this.codeWords = keyWords(codeKey);
    this.streamWords = keyWords(streamKey);
    this.code = new SipHash(codeKey, 2, 4);
    this.stream = new SipHash(streamKey, 2, 4);
  }

  /**
   * Reads the URI of a record over `bytes`: GRUU_*. After GRUU_TEMPORARY the AOR is that of `aorKey`, for any user
   * part; after GRUU_PUBLIC it is the URI's own. Then `leadsTo` chooses among the AOR's bindings.
   */
  read(bytes: Uint8Array, uri: Int32Array, base: number): number {
    this.kind = this.readKind(bytes, uri, base);
    return this.kind;
  }

  /** Whether the GRUU read last stands for the binding of an image. */
  leadsTo(image: Uint8Array, at: number): boolean {
    const from = instanceAt(image, at);
    const to = instanceEnd(image, at);
    if (to === from) return false;
    if (this.kind === GRUU_PUBLIC) return sameInstance(this.instance, 0, this.instanceLength, image, from, to);
    return this.kind === GRUU_TEMPORARY && epochOf(image, at) === this.epoch;
  }

  private readKind(bytes: Uint8Array, uri: Int32Array, base: number): number {
    const scheme = uri[base + URI_SCHEME];
    if ((scheme !== SCHEME_SIP && scheme !== SCHEME_SIPS) || !hasUriParam(bytes, uri, base, GR)) return GRUU_NONE;
    if (uriParamAt() >= 0) return this.readInstance(bytes, uriParamAt(), uriParamEnd()) ? GRUU_PUBLIC : GRUU_INVALID;
    return this.readToken(bytes, uri, base) ? GRUU_TEMPORARY : GRUU_INVALID;
  }

  /** Reads the instance ID of a public GRUU; false for one that cannot have GRUUs. */
  private readInstance(bytes: Uint8Array, at: number, end: number): boolean {
    const length = undoEscapes(bytes, at, end, this.instance);
    this.instanceLength = Math.max(0, length);
    return isGruuInstance(this.instance, 0, this.instanceLength);
  }

  private readToken(bytes: Uint8Array, uri: Int32Array, base: number): boolean {
    const { words, text } = this;
    const userAt = uri[base + URI_USER_AT];
    if (userAt < 0 || undoEscapes(bytes, userAt, uri[base + URI_USER_END], text) !== TOKEN_CHARS) return false;
    if (!decodeBase64Url(text, 0, words)) return false;
    this.crypt();
    const iv = this.iv(bytes, uri[base + URI_HOST_AT], uri[base + URI_HOST_END]);
    let wrong = 0;
    for (let i = 0; i < AOR_KEY; i++) wrong |= iv[i] ^ words[i];
    if (wrong !== 0) return false;
    for (let i = 0; i < 4; i++) this.aorKey[i] = words[AOR_KEY + i];
    this.epoch = words[EPOCH];
    return true;
  }

  /** The code over contents and domain: four words. */
  private iv(host: Uint8Array, at: number, end: number): Uint32Array {
    const { code, words } = this;
    code.begin();
    for (let i = AOR_KEY; i < WORDS; i++) code.word(words[i]);
    for (let i = at; i < end; i++) code.byte(LOWER[host[i]]);
    code.end();
    return code.out;
  }

  /** Seals or opens the contents, with the key stream that the IV starts. */
  private crypt(): void {
    const { stream, words } = this;
    for (let at = AOR_KEY; at < WORDS; at += 4) {
      stream.begin();
      for (let i = 0; i < AOR_KEY; i++) stream.word(words[i]);
      stream.word(at);
      stream.end();
      for (let i = 0; i < 4; i++) words[at + i] ^= stream.out[i];
    }
  }
}

/** Whether an instance ID can have GRUUs: it must be a URN (RFC 5626 §4.1). */
export function isGruuInstance(bytes: Uint8Array, at: number, end: number): boolean {
  const length = end - at;
  return length > 0 && length <= GRUU_INSTANCE_BYTES_MAX && foldedLength(bytes, at, end) > 0;
}

/** Undoes escapes once; returns the length, -1 where the text does not fit. */
function undoEscapes(bytes: Uint8Array, at: number, end: number, into: Uint8Array): number {
  let length = 0;
  for (let p = at; p < end; p++) {
    if (length === into.length) return -1;
    const escaped = bytes[p] === PERCENT && p + 2 < end;
    into[length++] = escaped ? (HEX[bytes[p + 1]] << 4) | HEX[bytes[p + 2]] : bytes[p];
    if (escaped) p += 2;
  }
  return length;
}
