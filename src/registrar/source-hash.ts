// Keyed hashes of addresses for the tables of abuse control: tabulation hashing, each byte of the key picking a secret
// random word for its place. Universal (nobody without the key can aim at a slot) and a few loads long. Not a signature.
// @hot

import { SipHash } from '../sip/siphash.ts';
import type { Peers } from './peers.ts';

/** What a hash stands for, so that a prefix and an aggregate of the same bits differ. */
export const OF_SOURCE = 0;
export const OF_AGGREGATE = 1;
const OF_FLOW = 2;
const KINDS = 3;

const PORT_PLACE = 16;
const TRANSPORT_PLACE = 18;
const KIND_PLACE = 19;
const PLACES = 20;

export class SourceHash {
  /** The hash last made: 64 bits. `a` is never 0, so that 0 can mean an empty place. */
  a = 0;
  b = 0;
  private readonly wordsA = new Uint32Array(PLACES * 256);
  private readonly wordsB = new Uint32Array(PLACES * 256);

  /** @param key 16 secret bytes, of which the tables are made */
  constructor(key: Uint8Array) {
    const hash = new SipHash(key);
    for (let i = 0; i < this.wordsA.length; i += 2) {
      hash.begin();
      hash.byte(i & 255);
      hash.byte(i >>> 8);
      hash.end();
      this.wordsA.set(hash.out.subarray(0, 2), i);
      this.wordsB.set(hash.out.subarray(2, 4), i);
    }
  }

  /** Of the first `bits` bits of a peer's address. */
  prefix(peers: Peers, row: number, kind: number, bits: number): void {
    const { wordsA, wordsB } = this;
    const { ip } = peers;
    const whole = bits >> 3;
    let key = (KIND_PLACE << 8) | (peers.family[row] * KINDS + kind);
    let a = wordsA[key];
    let b = wordsB[key];
    const at = row << 4;
    for (let i = 0; i < whole; i++) {
      key = (i << 8) | ip[at + i];
      a ^= wordsA[key];
      b ^= wordsB[key];
    }
    if ((bits & 7) !== 0) {
      key = (whole << 8) | (ip[at + whole] & (0xff00 >> (bits & 7)));
      a ^= wordsA[key];
      b ^= wordsB[key];
    }
    this.a = a === 0 ? 1 : a >>> 0;
    this.b = b >>> 0;
  }

  /** Of a peer's whole address, port and transport. */
  flow(peers: Peers, row: number): void {
    const { wordsA, wordsB } = this;
    const port = peers.port[row];
    this.prefix(peers, row, OF_FLOW, peers.family[row] === 6 ? 128 : 32);
    const high = (PORT_PLACE << 8) | (port >> 8);
    const low = ((PORT_PLACE + 1) << 8) | (port & 255);
    const transport = (TRANSPORT_PLACE << 8) | peers.transport[row];
    const a = this.a ^ wordsA[high] ^ wordsA[low] ^ wordsA[transport];
    this.a = a === 0 ? 1 : a >>> 0;
    this.b = (this.b ^ wordsB[high] ^ wordsB[low] ^ wordsB[transport]) >>> 0;
  }
}
