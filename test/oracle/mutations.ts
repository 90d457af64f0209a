// Mutated messages, seeded: what goes wrong on wires, in phones and in attackers' minds, several things at a time.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { seeded, TYPICAL_MESSAGES, variedMessages } from '../../src/commands/bench/sample-messages.ts';

const encoder = new TextEncoder();

/** Real ones, torture vectors, and a few of everything that the corpora lack. */
function originals(): Uint8Array[] {
  const vectors = ['rfc4475', 'rfc5118'].flatMap((set) => {
    const folder = join(process.cwd(), 'test/vectors', set);
    return readdirSync(folder)
      .filter((file) => file.endsWith('.dat'))
      .map((file) => new Uint8Array(readFileSync(join(folder, file))));
  });
  return [...vectors, ...[...TYPICAL_MESSAGES, ...variedMessages(64), ...RARE].map((text) => encoder.encode(text))];
}

const head = 'REGISTER sip:example.com SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1;rport\r\n';
const rest = 'From: <sip:a@h>;tag=1\r\nTo: sip:a@h\r\nCall-ID: x\r\nCSeq: 1 REGISTER\r\n';
const RARE: readonly string[] = [
  `${head}${rest}Contact: "a, \\"b\\" \\\r\\\n" <sip:a%41:p@h:1;x=1;y?b=c&d=e>;q=0.5;expires=4294967301;reg-id=2\r\n\r\n`,
  `${head}${rest}m: *, <tel:+1;a=b> ;+SIP.instance="<urn:x>" ; expires\r\n =  5\r\n\t,sips:c@[::1]:5 ; q=1.000\r\nl:3\r\n\r\nabc`,
  `${head}v: SIP / 2.0 / TCP [2001:db8::1] : 5 ;received=1;maddr=h;keep;rport=5, SIP/2.0/UDP x\r\n${rest}\r\n`,
  `${head}${rest}Require: path, outbound,,GIN\r\nSupported: gruu , pref, x\r\nProxy-Require: a\r\nk:\r\nMax-Forwards: 256\r\n\r\n`,
  `\r\n\r\nSIP/2.0 200 OK\r\n${rest}Expires: 99999999999\r\nContact: <sip:x>\r\nContact: <sip:y>;a="\\\x01"\r\n\r\n`,
  `${head}From: Room: 5 (left) <sip:a@h>;tag=1;\r\nt: a b/c <sip:a@h> ;\r\ni: x\r\nCSeq: 1 REGISTER\r\nm: x@y <sip:c@d>; , z: <sip:e>;q=1 ;\r\n\r\n`,
  `SUBSCRIBE sips:u;x:pw@h:99;transport=udp;lr SIP/2.0\r\n${rest}Event: reg\r\no: reg\r\nRecord-Route: <sip:h;lr>\r\n\r\n`,
];

const WORDS: readonly Uint8Array[] = [
  ...[
    '\r\n',
    '\r\n ',
    '\r\n\t',
    '\r',
    '\n',
    '\0',
    '\x7f',
    '\t',
    ' ',
    '"',
    '\\',
    '\\"',
    '\\\r\n',
    '<',
    '>',
    ';',
    ',',
    '@',
  ],
  ...[':', '=', '?', '&', '%', '%4', '%41', '%zz', '*', '[', ']', '[::1]', '/', '.', '0', '4294967295', '4294967296'],
  ...[
    '2147483648',
    '65536',
    '00000000000000000000001',
    'sip:',
    'SIPS:',
    'tel:1',
    'SIP/2.0',
    'SIP/3.0',
    ';expires=',
    ';q=0.',
    ';q=.5',
    ';q="0.5"',
    ';expires="60"',
    ';reg-id="1"',
    ';expires',
    '\r\nExpires: "60"',
  ],
  ...[
    ';reg-id=0',
    ';+sip.instance="<',
    ';+sip.instance=<urn:x>',
    ';tag',
    ';branch=z9hG4bK',
    ';rport',
    ';Received=1',
    ';maddr',
    ';keep',
    ';a;a',
    '@h.',
    'é',
  ],
  ...[
    '\r\nContact: ',
    '\r\nm:',
    '\r\nVia: SIP/2.0/UDP ',
    '\r\nTo:',
    '\r\nf :',
    '\r\nExpires: 5',
    '\r\nContent-Length: 9',
  ],
  ...[
    '\r\nContent-Disposition: x',
    '\r\nProxy-Authorization: y',
    '\r\nRequire: gin',
    '\r\n\r\n',
    'x'.repeat(15),
    'y'.repeat(40),
  ],
].map((word) => encoder.encode(word));

/** Bytes that are likely to matter; others come by chance. */
const BYTES = encoder.encode('\r\n\t "\\<>;,:=?&%@*[]/.-_09azAZ\0\x01\x1f\x7f');

/** Fills a buffer with one mutated message after the other. */
export class Mutations {
  /** The message at hand is bytes[0, length). */
  readonly bytes = new Uint8Array(60_000);
  length = 0;
  private readonly random: () => number;
  private readonly originals = originals();

  constructor(seed: number) {
    this.random = seeded(seed);
  }

  below(bound: number): number {
    return Math.floor(this.random() * bound);
  }

  next(): void {
    const original = this.originals[this.below(this.originals.length)];
    this.bytes.set(original);
    this.length = original.length;
    for (let changes = this.below(5); changes >= 0; changes--) this.change();
  }

  private change(): void {
    const kind = this.below(10);
    const at = this.below(this.length + 1);
    if (kind < 3) this.replaceByte(at);
    else if (kind < 6) this.insert(at, WORDS[this.below(WORDS.length)]);
    else if (kind === 6) this.remove(at, this.below(24));
    else if (kind === 7) this.insert(at, this.bytes.slice(at, Math.min(this.length, at + this.below(120))));
    else if (kind === 8) this.splice(at);
    else this.rare(at);
  }

  private replaceByte(at: number): void {
    if (at >= this.length) return;
    const any = this.below(4) === 0;
    this.bytes[at] = any ? this.below(256) : BYTES[this.below(BYTES.length)];
  }

  private insert(at: number, word: Uint8Array): void {
    if (this.length + word.length > this.bytes.length) return;
    this.bytes.copyWithin(at + word.length, at, this.length);
    this.bytes.set(word, at);
    this.length += word.length;
  }

  private remove(at: number, count: number): void {
    const end = Math.min(this.length, at + count);
    this.bytes.copyWithin(at, end, this.length);
    this.length -= end - at;
  }

  /** Goes on as another message does. */
  private splice(at: number): void {
    const other = this.originals[this.below(this.originals.length)];
    const from = this.below(other.length);
    if (at + other.length - from > this.bytes.length) return;
    this.bytes.set(other.subarray(from), at);
    this.length = at + other.length - from;
  }

  private rare(at: number): void {
    const kind = this.below(4);
    if (kind === 0) this.length = at;
    else if (kind === 1 && at < this.length) this.bytes[at] ^= 0x20;
    else if (kind === 2) for (let i = this.below(40); i > 0; i--) this.insert(at, WORDS[this.below(WORDS.length)]);
    else {
      const word = WORDS[this.below(WORDS.length)];
      for (let i = this.below(140); i > 0; i--) this.insert(at, word);
    }
  }
}
