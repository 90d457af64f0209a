// GRUUs as texts (RFC 5627 §5.4): a public one is the AOR with the instance ID in `gr`, a temporary one a sealed token that
// names AOR and instance and is read again without memory. When they are made and when they end is gruu-rules.ts's.
//
// A token is 48 bytes: a synthetic IV and 32 bytes of ciphertext, in the manner of SIV (RFC 5297). The IV is a code (SipHash-2-4)
// over contents and domain under one key, and starts the key stream (the same under another). Reasons: docs/decisions/0061.

import { deriveKey } from '../../src/core/auth/derived-key.ts';
import { cseqOf, epochOf, instanceAt, instanceEnd, regIdOf } from '../../src/core/binding/binding.ts';
import { GRUU_INSTANCE_BYTES_MAX } from '../../src/core/binding/image-layout.ts';
import { foldedLength } from '../../src/core/binding/instance-id.ts';
import { encodeBase64Url } from '../../src/sip/base64url.ts';
import { AT_SIGN, LOWER, PERCENT } from '../../src/sip/scanner.ts';
import { SipHash } from '../../src/sip/siphash.ts';
import { ascii, type Writer } from '../../src/sip/writer.ts';

const TOKEN_CHARS = 64;
// Places in the token's words: IV first, then what is sealed.
const AOR_KEY = 4;
const EPOCH = 8;
const CSEQ = 9;
const REG_ID = 10;
// The last word is zero.
const WORDS = 12;

const SIP = ascii('sip:');
const SIPS = ascii('sips:');
const GR_VALUE = ascii(';gr=');
const GR_FLAG = ascii(';gr');
const HEX_DIGITS = ascii('0123456789ABCDEF');
/** RFC 3261 §25.1, by byte: 1 for what stands in a user part, and in a parameter's value, without an escape. */
const IN_USER = characters("-_.!~*'()&=+$,;?/");
const IN_VALUE = characters("-_.!~*'()[]/:&+$");

function characters(marks: string): Uint8Array {
  const set = new Uint8Array(256);
  for (const byte of ascii(`ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789${marks}`)) set[byte] = 1;
  return set;
}

export class Gruus {
  private readonly code: SipHash;
  private readonly stream: SipHash;
  private readonly words = new Uint32Array(WORDS);
  private readonly text = new Uint8Array(TOKEN_CHARS);

  /**
   * @param secret 32 bytes, the same on every shard and node
   * @param generation number of the keys; another one ends every temporary GRUU
   */
  constructor(secret: Uint8Array, generation = 0) {
    this.code = new SipHash(deriveKey(secret, `gruu code ${generation}`), 2, 4);
    this.stream = new SipHash(deriveKey(secret, `gruu stream ${generation}`), 2, 4);
  }

  /**
   * Writes the public GRUU of an instance, in the spelling that the phone sent: another one leads to it as well (sameInstance).
   * @param aor canonical, user@host
   */
  writePublic(w: Writer, aor: Uint8Array, aorLength: number, sips: boolean, image: Uint8Array, at: number): void {
    const atSign = aor.lastIndexOf(AT_SIGN, aorLength - 1);
    w.text(sips ? SIPS : SIP);
    writeEscaped(w, aor, 0, atSign, IN_USER);
    w.span(aor, atSign, aorLength);
    w.text(GR_VALUE);
    writeEscaped(w, image, instanceAt(image, at), instanceEnd(image, at), IN_VALUE);
  }

  /**
   * Writes the temporary GRUU that the registration behind an image has made: the same for the same image.
   * @param aorKey of the AOR: four words
   */
  writeTemporary(
    w: Writer,
    aor: Uint8Array,
    aorLength: number,
    aorKey: Uint32Array,
    sips: boolean,
    image: Uint8Array,
    at: number,
  ): void {
    const { words, text } = this;
    for (let i = 0; i < 4; i++) words[AOR_KEY + i] = aorKey[i];
    words[EPOCH] = epochOf(image, at);
    words[CSEQ] = cseqOf(image, at);
    words[REG_ID] = regIdOf(image, at);
    words[WORDS - 1] = 0;
    const host = aor.lastIndexOf(AT_SIGN, aorLength - 1);
    const iv = this.iv(aor, host + 1, aorLength);
    for (let i = 0; i < AOR_KEY; i++) words[i] = iv[i];
    this.crypt();
    encodeBase64Url(words, text);
    w.text(sips ? SIPS : SIP);
    w.text(text);
    w.span(aor, host, aorLength);
    w.text(GR_FLAG);
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

  /** Seals: the contents under the key stream that the IV starts. */
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

/** Whether GRUUs are made for an instance ID: it must be a URN (RFC 5626 §4.1). */
export function isGruuInstance(bytes: Uint8Array, at: number, end: number): boolean {
  const length = end - at;
  return length > 0 && length <= GRUU_INSTANCE_BYTES_MAX && foldedLength(bytes, at, end) > 0;
}

/** Writes bytes[at, end), all but `plain` escaped. */
function writeEscaped(w: Writer, bytes: Uint8Array, at: number, end: number, plain: Uint8Array): void {
  for (let p = at; p < end; p++) {
    const byte = bytes[p];
    if (plain[byte] === 1) w.byte(byte);
    else {
      w.byte(PERCENT);
      w.byte(HEX_DIGITS[byte >> 4]);
      w.byte(HEX_DIGITS[byte & 15]);
    }
  }
}
