// The nonces of one life of a shard: issued, checked, and each nc accepted once (RFC 7616 §3.3, §3.4). The AOR's record tells the uses of
// other lives. Ages are counted by a time that does not step back with the machine's clock.
// @hot

import { SteadyTime } from '../timers/steady-time.ts';
import type { AuthPolicy } from './auth-policy.ts';
import { Nonces } from './nonce.ts';
import { NC_FORGOTTEN, NonceWindow } from './nonce-window.ts';

/** An earlier life's record of used nonces. */
export interface NonceFloors {
  /** The highest nc for this nonce in the record of the current AOR; -1 where the record does not name it. */
  highestNc(idHigh: number, idLow: number): number;
}

export interface NonceOptions {
  readonly policy: AuthPolicy;
  /** 32 bytes, the same on every shard and node. */
  readonly secret: Uint8Array;
  /** Generation of the nonces' keys; another one invalidates every nonce. */
  readonly generation?: number;
  /** First number of this shard's nonces: any number that differs between shards and processes. */
  readonly nonceStart: number;
  /** Number of this life of the nonces' memory, 32 bits: no other life has or had it. */
  readonly life: number;
  /** Nonces of other lives are accepted only where the floors name them. */
  readonly floors?: NonceFloors;
}

export class NonceUses {
  /** Of the nonce that was checked last: `idHigh`, `idLow`, `isOfThisLife`. */
  readonly nonces: Nonces;
  private readonly window: NonceWindow;
  private readonly floors: NonceFloors | null;
  private readonly time = new SteadyTime();
  private readonly lifetimeMs: number;

  constructor({ policy, secret, generation, nonceStart, life, floors }: NonceOptions) {
    const { nonceLifetimeMs, nonceKeyMs, usedNoncesMax, ncWindow } = policy;
    this.nonces = new Nonces(secret, generation ?? 0, nonceLifetimeMs, nonceKeyMs, nonceStart, life);
    this.window = new NonceWindow(usedNoncesMax, ncWindow, nonceLifetimeMs);
    this.floors = floors ?? null;
    this.lifetimeMs = nonceLifetimeMs;
  }

  /** Begins another life: the memory of used nonces may be out of date. @cold */
  beginLife(life: number): void {
    this.nonces.beginLife(life);
    this.window.clear();
  }

  /** Makes a nonce for the AOR in the realm and returns its text, valid until the next call. */
  issue(aorKey: Uint32Array, realm: Uint8Array, realmLength: number, clock: number): Uint8Array {
    this.nonces.issue(aorKey, realm, realmLength, this.time.at(clock));
    return this.nonces.text;
  }

  /** Checks the nonce bytes[at, end) for the AOR and the realm: NONCE_*. */
  check(
    bytes: Uint8Array,
    at: number,
    end: number,
    aorKey: Uint32Array,
    realm: Uint8Array,
    realmLength: number,
    clock: number,
  ): number {
    return this.nonces.check(bytes, at, end, aorKey, realm, realmLength, this.time.at(clock));
  }

  /** Whether the nonce checked last will be too old in this many seconds. */
  endsWithin(seconds: number, clock: number): boolean {
    return this.time.at(clock) + 1000 * seconds - this.nonces.issuedAt > this.lifetimeMs;
  }

  /** Notes the use of the nonce checked last: NC_*. */
  use(nc: number, clock: number): number {
    const { window, floors } = this;
    const { idHigh, idLow, issuedAt, isOfThisLife } = this.nonces;
    const now = this.time.at(clock);
    const use = window.accept(idHigh, idLow, issuedAt, isOfThisLife, nc, now);
    if (use !== NC_FORGOTTEN || floors === null) return use;
    const floor = floors.highestNc(idHigh, idLow);
    if (floor < 0) return use;
    window.resume(idHigh, idLow, issuedAt, floor, now);
    return window.accept(idHigh, idLow, issuedAt, isOfThisLife, nc, now);
  }
}
