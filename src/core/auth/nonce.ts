// Nonces that need no memory (RFC 7616 §3.3): 24 bytes as 32 URL-safe characters. Eight bytes hold the time of issue and a counter,
// four the life of the server; twelve are a keyed code over those, the AOR and the realm. Any process with the secret can check a
// nonce. Their uses are nonce-window.ts's.
// @hot

import { decodeBase64Url, encodeBase64Url } from '../../sip/base64url.ts';
import { SipHash } from '../../sip/siphash.ts';
import { deriveKey } from './derived-key.ts';

/** Characters of a nonce. */
export const NONCE_CHARS = 32;

/** Made by this server, for this AOR and realm, and young enough. */
export const NONCE_FRESH = 0;
/** Made by this server, for this AOR and realm, but too old; or of an expired key, so that it cannot be checked. */
export const NONCE_STALE = 1;
/** For another AOR or realm, edited, or never made by this server. */
export const NONCE_FOREIGN = 2;

const COUNTER_BITS = 22;
const COUNTER_MASK = (1 << COUNTER_BITS) - 1;
/** Limit of a nonce's issue time in the future: another node's clock. */
const CLOCK_SKEW_MS = 5_000;

export class Nonces {
  /** The nonce issued last. */
  readonly text = new Uint8Array(NONCE_CHARS);
  /** Of the nonce checked last, unless foreign: its issue time (epoch ms), and 64 bits that identify it. */
  issuedAt = 0;
  idHigh = 0;
  idLow = 0;
  /** The nonce checked last was issued in this life: all its uses are known. */
  isOfThisLife = false;
  private readonly master: SipHash;
  private generation: number;
  private readonly lifetimeMs: number;
  private readonly keyMs: number;
  private counter: number;
  private life: number;
  /** Keys of the epochs in use: an even epoch's in [0], an odd one's in [1]; `epochs` has their numbers. */
  private readonly macs: SipHash[];
  private readonly epochs = new Float64Array(2).fill(-1);
  /** The nonce in binary: time and counter, life, then the code. */
  private readonly raw = new Uint32Array(6);

  /**
   * @param secret 32 bytes, the same on every node and shard
   * @param generation number of the secret; another one invalidates all nonces
   * @param lifetimeMs age up to which a nonce is fresh
   * @param keyMs lifetime of one key; at least lifetimeMs
   * @param start first count: a number that differs between processes and shards
   * @param life 32 bits that no other life of this memory of used nonces has or had
   */
  constructor(secret: Uint8Array, generation: number, lifetimeMs: number, keyMs: number, start: number, life: number) {
    this.master = new SipHash(deriveKey(secret, 'nonce'), 2, 4);
    this.generation = generation;
    this.lifetimeMs = lifetimeMs;
    this.keyMs = Math.max(keyMs, lifetimeMs + CLOCK_SKEW_MS);
    this.counter = start & COUNTER_MASK;
    this.life = life >>> 0;
    const unset = new Uint8Array(16);
    this.macs = [new SipHash(unset, 2, 4), new SipHash(unset, 2, 4)];
  }

  /** Sets the generation; another one than before invalidates all nonces. @cold */
  useGeneration(generation: number): void {
    this.generation = generation;
    this.epochs.fill(-1);
  }

  /** Begins another life, for all further nonces. @cold */
  beginLife(life: number): void {
    this.life = life >>> 0;
  }

  /** Makes a nonce for the AOR with this key (four words) in the realm; leaves it in `text`. */
  issue(aorKey: Uint32Array, realm: Uint8Array, realmLength: number, now: number): void {
    this.counter = (this.counter + 1) & COUNTER_MASK;
    const raw = this.raw;
    now = Math.floor(now);
    // 42 bits of milliseconds (to the year 2109), 22 of the counter.
    raw[0] = Math.floor(now / 1024);
    raw[1] = (now % 1024) * 2 ** COUNTER_BITS + this.counter;
    raw[2] = this.life;
    const mac = this.code(now, aorKey, realm, realmLength);
    for (let i = 0; i < 3; i++) raw[3 + i] = mac.out[i];
    encodeBase64Url(raw, this.text);
  }

  /** Checks the nonce bytes[at, end) for the AOR and the realm: NONCE_*. Fills issuedAt, idHigh and idLow. */
  check(
    bytes: Uint8Array,
    at: number,
    end: number,
    aorKey: Uint32Array,
    realm: Uint8Array,
    realmLength: number,
    now: number,
  ): number {
    const raw = this.raw;
    if (end - at !== NONCE_CHARS || !decodeBase64Url(bytes, at, raw)) return NONCE_FOREIGN;
    const issuedAt = raw[0] * 1024 + (raw[1] >>> COUNTER_BITS);
    this.issuedAt = issuedAt;
    this.idHigh = raw[3];
    this.idLow = raw[4];
    this.isOfThisLife = raw[2] === this.life;
    if (issuedAt > now + CLOCK_SKEW_MS) return NONCE_FOREIGN;
    if (Math.floor(now / this.keyMs) - Math.floor(issuedAt / this.keyMs) > 1) return NONCE_STALE;
    const out = this.code(issuedAt, aorKey, realm, realmLength).out;
    if (((raw[3] ^ out[0]) | (raw[4] ^ out[1]) | (raw[5] ^ out[2])) !== 0) return NONCE_FOREIGN;
    return now - issuedAt <= this.lifetimeMs ? NONCE_FRESH : NONCE_STALE;
  }

  /** The code over time, counter and life (raw[0] to raw[2]), AOR and realm, with the key of the epoch of `time`. */
  private code(time: number, aorKey: Uint32Array, realm: Uint8Array, realmLength: number): SipHash {
    const epoch = Math.floor(time / this.keyMs);
    const mac = this.keyed(epoch);
    // A fixed number of words, so that the realm behind them needs no length.
    mac.begin();
    mac.word(this.raw[0]);
    mac.word(this.raw[1]);
    mac.word(this.raw[2]);
    for (let i = 0; i < 4; i++) mac.word(aorKey[i]);
    mac.span(realm, 0, realmLength);
    mac.end();
    return mac;
  }

  private keyed(epoch: number): SipHash {
    const place = epoch & 1;
    if (this.epochs[place] !== epoch) this.derive(epoch, place);
    return this.macs[place];
  }

  /** Once per epoch: its key is the code of its number under the secret. @cold */
  private derive(epoch: number, place: number): void {
    const { master } = this;
    master.begin();
    for (const word of [this.generation, Math.floor(epoch / 2 ** 32), epoch]) master.word(word);
    master.end();
    const key = new Uint8Array(16);
    for (let i = 0; i < 16; i++) key[i] = master.out[i >> 2] >>> (8 * (i & 3));
    this.macs[place] = new SipHash(key, 2, 4);
    this.epochs[place] = epoch;
  }
}
