// Keyed hashes of addresses for the tables of abuse control: tabulation hashing, each byte of the key picking a secret
// random word for its place. Universal (nobody without the key can aim at a slot) and a few loads long. Not a signature.
// @hot

import { SipHash } from '../../sip/siphash.ts';
import type { Peers } from '../../sip/sources.ts';

/** Kinds of hashes, so that a prefix and an aggregate of the same bits differ. */
export const OF_SOURCE = 0;
export const OF_AGGREGATE = 1;
const OF_FLOW = 2;
const KINDS = 3;

const PORT_PLACE = 16;
const TRANSPORT_PLACE = 18;
const KIND_PLACE = 19;
const PLACES = 20;

export class SourceHash {
  /** The last hash: 64 bits, as integers of 32. `a` is never 0, so that 0 can mean an empty place. */
  a = 0;
  b = 0;
  /** Two words for each byte in each place. */
  private readonly words = new Int32Array(PLACES * 512);

  /** @param key 16 secret bytes, of which the tables are made */
  constructor(key: Uint8Array) {
    const hash = new SipHash(key);
    for (let i = 0; i < this.words.length; i += 4) {
      hash.begin();
      hash.byte(i & 255);
      hash.byte(i >>> 8);
      hash.end();
      this.words.set(hash.out, i);
    }
  }

  /** Hashes the first `bits` bits of a peer's address. */
  prefix(peers: Peers, row: number, kind: number, bits: number): void {
    const { words } = this;
    const { ip } = peers;
    const whole = bits >> 3;
    let key = (KIND_PLACE << 9) | ((peers.family[row] * KINDS + kind) << 1);
    let a = words[key];
    let b = words[key + 1];
    const at = row << 4;
    for (let i = 0; i < whole; i++) {
      key = (i << 9) | (ip[at + i] << 1);
      a ^= words[key];
      b ^= words[key + 1];
    }
    if ((bits & 7) !== 0) {
      key = (whole << 9) | ((ip[at + whole] & (0xff00 >> (bits & 7))) << 1);
      a ^= words[key];
      b ^= words[key + 1];
    }
    this.a = a === 0 ? 1 : a;
    this.b = b;
  }

  /** Hashes a peer's whole address, port and transport. */
  flow(peers: Peers, row: number): void {
    const { words } = this;
    const port = peers.port[row];
    this.prefix(peers, row, OF_FLOW, peers.family[row] === 6 ? 128 : 32);
    const high = (PORT_PLACE << 9) | ((port >> 8) << 1);
    const low = ((PORT_PLACE + 1) << 9) | ((port & 255) << 1);
    const transport = (TRANSPORT_PLACE << 9) | (peers.transport[row] << 1);
    const a = this.a ^ words[high] ^ words[low] ^ words[transport];
    this.a = a === 0 ? 1 : a;
    this.b ^= words[high + 1] ^ words[low + 1] ^ words[transport + 1];
  }
}
