// Finds a user in the store for a shard without it in its table: by name, by userhash, or in a provider's answers. Each
// lookup is one to three reads. user-table caches the results.

import { Buffer, isUtf8 } from 'node:buffer';
import { ALG_TOKEN, USER_PENDING, USER_UNAVAILABLE, USER_UNKNOWN } from '../core/auth/credential-source.ts';
import type { UserReader } from './user-environment.ts';
import {
  HA1_FULL,
  HA1_LENGTHS,
  ha1Offset,
  holdsAor,
  KEY_AOR,
  KEY_LEARNT,
  KEY_USER,
  KEY_USERHASH,
  openUser,
  REALM_BYTES_MAX,
  TOKEN_KIND,
  USER_DAMAGED,
  USER_FLAGS,
  USER_FRESH_UNTIL,
  USER_NAME_BYTES_MAX,
  USER_NONE,
  USER_USABLE_UNTIL,
} from './user-record.ts';

/** States of a provider. */
export const PROVIDER_UP = 0;
/** Its circuit breaker is open: it gets no requests now. */
export const PROVIDER_DOWN = 1;

/** Longest record of a user: HA1s and all AORs. */
export const RECORD_BYTES_MAX = 1 << 19;
const FIRST_RECORD_BYTES = 4096;
/** Time for which an old answer of a provider is used before the store is read again. */
const STALE_MS = 1000;

export interface ProviderLink {
  /** PROVIDER_*; shared with the main thread. */
  readonly state: Int32Array;
  /** Asks the provider for a user; the answer is written to the store, with a new generation. */
  wanted(user: string, realm: string): void;
}

/** A source of users; its fields have the last result until the next call. */
export interface UserFinder {
  /** Offset of the HA1 in `record`, or USER_*. Throws if the store cannot be read. */
  find(name: Uint8Array, isUserhash: boolean, realm: Uint8Array, algorithm: number, now: number): number;
  /** Whether the user may register an AOR, by its own name or by its record's AORs. Throws if the store cannot be read. */
  mayRegister(name: Uint8Array, isUserhash: boolean, realm: Uint8Array, aor: Uint8Array, aorLength: number): boolean;
  isGiven(aor: Uint8Array, aorLength: number): boolean;
  readonly record: Uint8Array;
  /** Bytes of the HA1 found. */
  readonly length: number;
  /** Epoch ms up to which the last result holds, as long as the generations stay. */
  readonly until: number;
  /** A configured provider gets no requests now. */
  readonly blocked: boolean;
}

/** A user's record in the store is damaged: the user cannot be authenticated. */
export class DamagedUserError extends Error {
  readonly user: string;

  constructor(user: string) {
    super('damaged');
    this.user = user;
  }
}

export class UserLookup implements UserFinder {
  record: Uint8Array = new Uint8Array(FIRST_RECORD_BYTES);
  length = 0;
  until = Number.POSITIVE_INFINITY;
  private recordLength = 0;
  private readonly reader: UserReader;
  private readonly provider: ProviderLink | null;
  private readonly tokens: ProviderLink | null;
  private readonly key = new Uint8Array(2 + REALM_BYTES_MAX + USER_NAME_BYTES_MAX);
  private readonly named = new Uint8Array(1 + REALM_BYTES_MAX + USER_NAME_BYTES_MAX);

  /** @param tokens the verifier of access tokens */
  constructor(reader: UserReader, provider: ProviderLink | null, tokens: ProviderLink | null = null) {
    this.reader = reader;
    this.provider = provider;
    this.tokens = tokens;
  }

  get blocked(): boolean {
    return isDown(this.provider) || isDown(this.tokens);
  }

  find(name: Uint8Array, isUserhash: boolean, realm: Uint8Array, algorithm: number, now: number): number {
    this.until = Number.POSITIVE_INFINITY;
    if (algorithm === ALG_TOKEN) return this.token(name, realm, now);
    this.length = HA1_LENGTHS[algorithm];
    const plain = isUserhash ? this.nameOfHash(name, realm, algorithm) : name;
    if (plain === null || !isSound(plain, realm)) return USER_UNKNOWN;
    if (this.readRecord(KEY_USER, plain, realm)) return this.ha1(algorithm);
    const local = isUserhash ? null : localPart(plain, realm);
    if (local !== null && this.readRecord(KEY_USER, local, realm)) return this.ha1(algorithm + HA1_FULL);
    if (this.provider === null) return USER_UNKNOWN;
    return this.learnt(local ?? plain, realm, local === null ? algorithm : algorithm + HA1_FULL, now, this.provider);
  }

  private token(name: Uint8Array, realm: Uint8Array, now: number): number {
    if (this.tokens === null || !isSound(name, realm)) return USER_UNKNOWN;
    this.length = HA1_LENGTHS[TOKEN_KIND % HA1_FULL];
    return this.learnt(name, realm, TOKEN_KIND, now, this.tokens);
  }

  mayRegister(name: Uint8Array, isUserhash: boolean, realm: Uint8Array, aor: Uint8Array, aorLength: number): boolean {
    for (let algorithm = 0; algorithm < HA1_LENGTHS.length; algorithm++) {
      const plain = isUserhash ? this.nameOfHash(name, realm, algorithm) : (localPart(name, realm) ?? name);
      if (plain === null || !isSound(plain, realm)) continue;
      if (Buffer.concat([plain, AT, realm]).equals(aor.subarray(0, aorLength))) return true;
      const found =
        this.readRecord(KEY_USER, plain, realm) ||
        ((this.provider ?? this.tokens) !== null && this.readRecord(KEY_LEARNT, plain, realm));
      return found && holdsAor(this.record, this.recordLength, aor, aorLength);
    }
    return false;
  }

  /** Whether a user may register this AOR (canonical) besides its own. */
  isGiven(aor: Uint8Array, aorLength: number): boolean {
    const { key } = this;
    if (1 + aorLength > key.length) return false;
    key[0] = KEY_AOR;
    key.set(aor.subarray(0, aorLength), 1);
    return this.reader.read(key.subarray(0, 1 + aorLength), this.named) >= 0;
  }

  private ha1(kind: number): number {
    return ha1Offset(this.record, this.recordLength, kind);
  }

  /** The provider's answer, if it is still valid; otherwise asks the provider. */
  private learnt(name: Uint8Array, realm: Uint8Array, kind: number, now: number, provider: ProviderLink): number {
    const down = isDown(provider);
    if (this.readRecord(KEY_LEARNT, name, realm)) {
      const view = new DataView(this.record.buffer);
      const fresh = view.getFloat64(USER_FRESH_UNTIL, true);
      const usable = view.getFloat64(USER_USABLE_UNTIL, true);
      if (fresh >= now || (down && usable >= now)) {
        this.until = fresh >= now ? fresh : Math.min(usable, now + STALE_MS);
        return (this.record[USER_FLAGS] & USER_NONE) === 0 ? this.ha1(kind) : USER_UNKNOWN;
      }
    }
    if (!isUtf8(name)) return USER_UNKNOWN; // a provider's answer could not name the user in the same bytes
    if (down) return USER_UNAVAILABLE;
    provider.wanted(Buffer.from(name).toString(), Buffer.from(realm).toString());
    return USER_PENDING;
  }

  /** A user's name by its userhash: a view of `named`, or null. */
  private nameOfHash(hex: Uint8Array, realm: Uint8Array, algorithm: number): Uint8Array | null {
    const bytes = HA1_LENGTHS[algorithm];
    if (hex.length !== 2 * bytes) return null;
    const hash = Buffer.from(Buffer.from(hex).toString('latin1'), 'hex');
    if (hash.length !== bytes) return null;
    this.key[0] = KEY_USERHASH;
    this.key[1] = algorithm;
    this.key.set(hash, 2);
    const length = this.reader.read(this.key.subarray(0, 2 + bytes), this.named);
    const start = realm.length + 1;
    if (length <= start || this.named[realm.length] !== 0) return null;
    for (let i = 0; i < realm.length; i++) if (this.named[i] !== realm[i]) return null;
    return this.named.subarray(start, length);
  }

  private readRecord(kind: number, name: Uint8Array, realm: Uint8Array): boolean {
    const { key } = this;
    key[0] = kind;
    key.set(realm, 1);
    key[1 + realm.length] = 0;
    key.set(name, 2 + realm.length);
    const length = 2 + realm.length + name.length;
    this.recordLength = this.reader.read(key.subarray(0, length), this.record);
    if (this.recordLength === -2) {
      this.record = new Uint8Array(RECORD_BYTES_MAX);
      this.recordLength = this.reader.read(key.subarray(0, length), this.record);
    }
    if (this.recordLength < 0) return false;
    this.recordLength = openUser(key.subarray(0, length), this.record, this.recordLength);
    if (this.recordLength !== USER_DAMAGED) return true;
    // A damaged answer of a provider is no loss: the provider is asked again.
    if (kind === KEY_LEARNT) return false;
    throw new DamagedUserError(`${Buffer.from(name)}@${Buffer.from(realm)}`);
  }
}

const AT = Uint8Array.of(0x40);

function isDown(provider: ProviderLink | null): boolean {
  return provider !== null && Atomics.load(provider.state, 0) === PROVIDER_DOWN;
}

/** Whether name and realm can be in a key. */
function isSound(name: Uint8Array, realm: Uint8Array): boolean {
  return name.length > 0 && name.length <= USER_NAME_BYTES_MAX && realm.length <= REALM_BYTES_MAX && !name.includes(0);
}

/** "alice" of "alice@example.com" in the realm example.com: phones that send their whole address as username. */
function localPart(name: Uint8Array, realm: Uint8Array): Uint8Array | null {
  const length = name.length - realm.length - 1;
  if (length <= 0 || name[length] !== 0x40) return null;
  for (let i = 0; i < realm.length; i++) {
    const byte = name[length + 1 + i];
    if ((byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte) !== realm[i]) return null;
  }
  return name.subarray(0, length);
}
