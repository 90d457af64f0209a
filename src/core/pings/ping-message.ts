// Pings as bytes: an OPTIONS for the contact (RFC 3261 §11), or empty lines (RFC 5626 §4.4.1, RFC 7118 §6). The branch holds all that its
// answer needs, under a code that no other sender can make: no request is stored.
// @hot

import { slab, table } from '../../sip/parser/slab.ts';
import { T_VIAS, VIA_BRANCH_AT, VIA_BRANCH_END } from '../../sip/parser/span-table.ts';
import { HEX as theHexDigits } from '../../sip/scanner.ts';
import { SipHash } from '../../sip/siphash.ts';
import { TRANSPORT_NAMES } from '../../sip/sources.ts';
import { ascii, type Writer } from '../../sip/writer.ts';
import { transportOf, uriAt, uriEnd } from '../binding/binding.ts';

// A constant of this module: V8 compiles its address in, while it loads an import each time it is used.
const HEX = theHexDigits;

/** Bytes of the longest ping: two URIs of a contact, the domain twice. */
export const PING_BYTES_MAX = 12_288;

const OPTIONS = ascii('OPTIONS ');
const VERSION = ascii(' SIP/2.0\r\nVia: SIP/2.0/');
const TRANSPORT_TEXTS = TRANSPORT_NAMES.map((name) => ascii(`${name.toUpperCase()} `));
const BRANCH = ascii(';branch=');
const COOKIE = ascii('z9hG4bKp');
const FROM = ascii(';rport\r\nMax-Forwards: 70\r\nFrom: <sip:');
const TAG = ascii('>;tag=');
const TO = ascii('\r\nTo: <');
const CALL_ID = ascii('>\r\nCall-ID: ');
const END = ascii('\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n');
const EMPTY_LINES = ascii('\r\n\r\n');
const DIGITS = ascii('0123456789abcdef');
const QUESTION_MARK = 0x3f;
const NO_DIGIT = 16;
const WORD_DIGITS = 8;
/** Behind the cookie: last word of the AOR's key, number of the contact, time, and the code of two words. */
const WORDS = 5;
const BRANCH_LENGTH = COOKIE.length + WORDS * WORD_DIGITS;

/** The words of the branch read last. */
const words = new Uint32Array(WORDS);

/** The code over the words of a branch, and the contact's source. */
export class PingCode {
  private readonly hash: SipHash;

  /** @param key 16 bytes */
  constructor(key: Uint8Array) {
    this.hash = new SipHash(key, 2, 4);
  }

  /** Two words, valid until the next hash of the thread. */
  of(keyWord: number, id: number, time: number, source: number): Uint32Array {
    const { hash } = this;
    hash.begin();
    hash.word(keyWord);
    hash.word(id);
    hash.word(time);
    hash.word(source);
    hash.end();
    return hash.out;
  }

  /** Whether the branch read last has the code for this source. */
  isOfBranch(source: number): boolean {
    const code = this.of(words[0], words[1], words[2], source);
    return ((code[0] ^ words[3]) | (code[1] ^ words[4])) === 0;
  }
}

/** Reads the branch of the response in the table. Returns the last word of the AOR's key for a ping of any shard, else -1. */
export function pingedKeyWord(): number {
  const at = table[T_VIAS + VIA_BRANCH_AT];
  const end = table[T_VIAS + VIA_BRANCH_END];
  if (end - at !== BRANCH_LENGTH) return -1;
  for (let i = 0; i < COOKIE.length; i++) if (slab[at + i] !== COOKIE[i]) return -1;
  for (let word = 0, p = at + COOKIE.length; word < WORDS; word++) {
    let value = 0;
    for (let i = 0; i < WORD_DIGITS; i++, p++) {
      const digit = HEX[slab[p]];
      if (digit >= NO_DIGIT) return -1;
      value = (value << 4) | digit;
    }
    words[word] = value;
  }
  return words[0];
}

/** Of the branch read last: the number of the contact, and the time of the ping. */
export function branchId(): number {
  return words[1];
}

export function branchTime(): number {
  return words[2];
}

/**
 * Writes the OPTIONS for the contact of an image.
 * @param sentBy host and port of the listener; empty: the domain
 * @param domain [domainAt, domainEnd) of the AOR
 */
export function writeOptions(
  w: Writer,
  bytes: Uint8Array,
  image: number,
  sentBy: Uint8Array,
  domainAt: number,
  domainEnd: number,
  code: PingCode,
  keyWord: number,
  id: number,
  time: number,
  source: number,
): void {
  const uri = uriAt(bytes, image);
  let end = uri;
  while (end < uriEnd(bytes, image) && bytes[end] !== QUESTION_MARK) end++;
  w.text(OPTIONS);
  w.span(bytes, uri, end);
  w.text(VERSION);
  w.text(TRANSPORT_TEXTS[transportOf(bytes, image)]);
  if (sentBy.length > 0) w.text(sentBy);
  else w.span(bytes, domainAt, domainEnd);
  w.text(BRANCH);
  const branch = w.at;
  w.text(COOKIE);
  hex(w, keyWord);
  hex(w, id);
  hex(w, time);
  const sealed = code.of(keyWord, id, time, source);
  hex(w, sealed[0]);
  hex(w, sealed[1]);
  w.text(FROM);
  w.span(bytes, domainAt, domainEnd);
  w.text(TAG);
  hex(w, time);
  w.text(TO);
  w.span(bytes, uri, end);
  w.text(CALL_ID);
  w.span(w.bytes, branch + COOKIE.length, branch + BRANCH_LENGTH);
  w.text(END);
}

/** Empty lines: they keep a NAT mapping open, and are a ping over a connection (RFC 5626 §4.4.1). */
export function writeEmptyLines(w: Writer): void {
  w.text(EMPTY_LINES);
}

function hex(w: Writer, word: number): void {
  for (let shift = 28; shift >= 0; shift -= 4) w.byte(DIGITS[(word >>> shift) & 15]);
}
