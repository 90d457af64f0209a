// The phones of a rehearsal: their messages in each act, written into slots of the slab, and the nonces of their
// challenges.

import { hash } from 'node:crypto';
import type { AlgorithmName } from '../../core/auth/auth-policy.ts';
import { NONCE_CHARS } from '../../core/auth/nonce.ts';
import type { BatchResponses } from '../../core/uas/batch-responses.ts';
import { slab, slotStart } from '../../sip/parser/slab.ts';
import { type Peers, TRANSPORT_UDP } from '../../sip/sources.ts';
import { ascii } from '../../sip/writer.ts';

export const DOMAIN = 'rehearsal.invalid';
export const PASSWORD = 'rehearsal';
/** Algorithms with which phones log in, as node:crypto names them. */
export const HASHES: Partial<Record<AlgorithmName, string>> = {
  MD5: 'md5',
  'SHA-256': 'sha256',
  'SHA-512-256': 'sha512-256',
};

/** CSeq of each act. A phone that `asks` has no credentials, and gets a nonce. */
const CSEQ = { asks: 1, registers: 2, refreshes: 3, leaves: 4 };
export type Act = keyof typeof CSEQ;

const DIGITS = 6;
/** Placeholders in a message for the parts that differ between phones. */
const NUMBER = '#'.repeat(DIGITS);
const NONCE = '$'.repeat(NONCE_CHARS);
const HASH_SIGN = 0x23;
const DOLLAR = 0x24;
const PERCENT = 0x25;

const INSTANCE = `+sip.instance="<urn:uuid:00000000-0000-1000-8000-000000${NUMBER}>"`;
/** A Contact, and further rows; different lengths show V8 each branch of a loop. */
const KINDS_OF_PHONES: readonly (readonly [contact: string, ...rows: string[]])[] = [
  [`<sip:u${NUMBER}@127.0.0.1:5060;ob>;${INSTANCE};reg-id=1`],
  [`<sip:us${NUMBER}@127.0.0.1:5060>`],
  [`<sip:use${NUMBER}@127.0.0.1:5060;transport=udp>;q=0.5;${INSTANCE}`],
  [`<sip:user${NUMBER}@127.0.0.1:5060>`, 'Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1', 'Path: <sip:192.0.2.2;lr>'],
];

/** The user of phone `index`. */
export function userName(index: number): string {
  return `${'user'.slice(index % KINDS_OF_PHONES.length)}${String(index).padStart(DIGITS, '0')}`;
}

export class Phones {
  private readonly peers: Peers;
  private readonly lengths: Int32Array;
  private readonly algorithm: AlgorithmName | undefined;
  private readonly templates: Record<Act, readonly Uint8Array[]>;
  /** Nonces back to back: many small objects would have V8 enlarge the thread's memory for good. */
  private readonly nonces: Uint8Array;
  private act: Act = 'asks';
  private first = 0;

  /**
   * @param peers of the shard
   * @param batch number of phones, of `count`, that send at once
   * @param algorithm of their logins; undefined: they need none
   */
  constructor(peers: Peers, batch: number, count: number, algorithm: AlgorithmName | undefined) {
    this.peers = peers;
    this.lengths = new Int32Array(batch);
    this.nonces = new Uint8Array(NONCE_CHARS * count);
    this.algorithm = algorithm;
    const of = (act: Act) => KINDS_OF_PHONES.map((_, kind) => ascii(request(act, kind, algorithm)));
    this.templates = { asks: of('asks'), registers: of('registers'), refreshes: of('refreshes'), leaves: of('leaves') };
  }

  /** Has the phones from `first` on send, one in each slot; returns the messages' lengths. */
  speak(act: Act, first: number): Int32Array {
    this.act = act;
    this.first = first;
    const { peers, lengths } = this;
    for (let slot = 0; slot < lengths.length; slot++) {
      const index = first + slot;
      const message = this.templates[act][index % KINDS_OF_PHONES.length];
      const at = slotStart(slot);
      slab.set(message, at);
      writeNumber(at, message.length, index);
      if (this.algorithm !== undefined && act !== 'asks') this.logIn(at, message.length, index, this.algorithm);
      peers.family[slot] = 4;
      peers.ip.set([127, 0, 0, 1], slot * 16);
      peers.port[slot] = 5060;
      peers.transport[slot] = TRANSPORT_UDP;
      lengths[slot] = message.length;
    }
    return lengths;
  }

  /** Keeps the nonces of challenges. Throws where credentials are refused: all further acts would rehearse refusals. */
  hear({ count, bytes, at, end, slot, status }: BatchResponses): void {
    for (let row = 0; row < count; row++) {
      if (status[row] !== 401) continue; // the policy may refuse UDP, for example
      if (this.act !== 'asks') throw new Error(`401 to a phone that ${this.act}`);
      const answer = Buffer.from(bytes.buffer, bytes.byteOffset + at[row], end[row] - at[row]);
      const nonce = answer.indexOf('nonce="') + 'nonce="'.length;
      this.nonces.set(answer.subarray(nonce, nonce + NONCE_CHARS), NONCE_CHARS * (this.first + slot[row]));
    }
  }

  private logIn(at: number, length: number, index: number, algorithm: AlgorithmName): void {
    const nonce = this.nonces.subarray(NONCE_CHARS * index, NONCE_CHARS * (index + 1));
    const ha1 = digest(algorithm, `${userName(index)}:${DOMAIN}:${PASSWORD}`);
    const ha2 = digest(algorithm, `REGISTER:sip:${DOMAIN}`);
    const text = Buffer.from(nonce.buffer, nonce.byteOffset, NONCE_CHARS).toString('latin1');
    fill(at, length, DOLLAR, nonce);
    const response = digest(algorithm, `${ha1}:${text}:${nonceCount(this.act)}:${CNONCE}:auth:${ha2}`);
    fill(at, length, PERCENT, ascii(response));
  }
}

function digest(algorithm: AlgorithmName, text: string): string {
  return hash(HASHES[algorithm] ?? 'md5', text);
}

const CNONCE = '0a4f113b';

function nonceCount(act: Act): string {
  return String(CSEQ[act] - 1).padStart(8, '0');
}

function request(act: Act, kind: number, algorithm: AlgorithmName | undefined): string {
  const [contact, ...rows] = KINDS_OF_PHONES[kind];
  const user = `${'user'.slice(kind)}${NUMBER}`;
  const aor = `sip:${user}@${DOMAIN}`;
  const lines = [
    `REGISTER sip:${DOMAIN} SIP/2.0`,
    `Via: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bK${CSEQ[act]}${NUMBER};rport`,
    ...rows,
    'Max-Forwards: 70',
    `From: "${NUMBER}" <${aor}>;tag=t${NUMBER}`,
    `To: <${aor}>`,
    `Call-ID: c${NUMBER}@127.0.0.1`,
    `CSeq: ${CSEQ[act]} REGISTER`,
    `Contact: ${contact}`,
    ...(algorithm === undefined || act === 'asks' ? [] : [credentialsRow(user, act, algorithm)]),
    'Allow: INVITE, ACK, CANCEL, OPTIONS, BYE, NOTIFY',
    'Supported: path, outbound, gruu',
    'User-Agent: rehearsal',
    `Expires: ${act === 'leaves' ? 0 : 3600}`,
    'Content-Length: 0',
  ];
  return `${lines.join('\r\n')}\r\n\r\n`;
}

function credentialsRow(user: string, act: Act, algorithm: AlgorithmName): string {
  const response = '%'.repeat(algorithm === 'MD5' ? 32 : 64);
  const how = `algorithm=${algorithm}, qop=auth, cnonce="${CNONCE}", nc=${nonceCount(act)}`;
  return `Authorization: Digest username="${user}", realm="${DOMAIN}", nonce="${NONCE}", uri="sip:${DOMAIN}", response="${response}", ${how}`;
}

/** Writes a number over each placeholder for numbers in the message. */
function writeNumber(at: number, length: number, value: number): void {
  for (let p = at; p < at + length; p++) {
    if (slab[p] !== HASH_SIGN) continue;
    for (let digit = DIGITS - 1, rest = value; digit >= 0; digit--, rest = Math.floor(rest / 10))
      slab[p + digit] = 0x30 + (rest % 10);
    p += DIGITS - 1;
  }
}

/** Writes bytes over the run of placeholder `place` in the message. */
function fill(at: number, length: number, place: number, bytes: Uint8Array): void {
  const p = slab.indexOf(place, at);
  if (p >= 0 && p < at + length) slab.set(bytes, p);
}
