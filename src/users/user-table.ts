// The credentials of a shard's thread: a bounded cache of HA1s in typed arrays in front of the user store. A cached
// user costs a hash and a comparison; changes of other processes are seen at the next batch. core/auth/digest computes
// digests. @hot

import { randomBytes } from 'node:crypto';
import { type CredentialSource, HA1_BYTES, USER_PENDING, USER_UNAVAILABLE } from '../core/auth/credential-source.ts';
import { ALG_BASE_MASK } from '../sip/credentials.ts';
import { sameBytes, sameText } from '../sip/scanner.ts';
import { SipHash } from '../sip/siphash.ts';
import { openUserDatabase, type UserDatabase, UserReader } from './user-environment.ts';
import { DamagedUserError, type ProviderLink, type UserFinder, UserLookup } from './user-lookup.ts';
import {
  COUNT_GENERATION,
  COUNT_LACKING,
  COUNT_LEARNT_GENERATION,
  COUNT_USERS,
  COUNTS_BYTES,
  KEY_COUNTS,
  REALM_BYTES_MAX,
  readU32,
  rulesOf,
} from './user-record.ts';

/** Rows of a bucket: a user is in one of them or nowhere. */
const WAYS = 8;
const ROWS_FIRST = 1024;
const ROWS_DEFAULT = 1 << 20;
/** Rows of users that do not exist, or are being fetched; the newest win. */
const ABSENT_ROWS = 4096;
/** Time after which a provider without an answer is asked for a user again. */
const PENDING_MS = 1000;
const NEVER = 0xffffffff;
/** Different rules of users that are kept; beyond it all rows are read anew. */
const RULES_MAX = 4096;
/** Damaged users that are reported. */
const DAMAGED_TOLD_MAX = 1000;

const EMPTY = 0;
const USED = 1;
const USED_LATELY = 2;

// --- a row: sixteen words, one cache line, so that finding a user waits for memory once. First its key, four words.
const GENERATION = 4;
/** Epoch seconds up to which the row may be used; NEVER for users of the store itself. */
const UNTIL = 5;
const STATE = 6;
/** Number of the rules for the user alone; 0: none. */
const RULES = 7;
const HA1 = 8;
const ROW_WORDS = 16;

export interface UserTableOptions {
  /** The data directory; its user store must exist. */
  readonly data: string;
  /** Realms by index, in lower case; "*" stands for every other host. */
  readonly realms: readonly string[];
  /** Cached users, a power of two. */
  readonly rowsMax?: number;
  /** Where a provider is configured. */
  readonly provider?: ProviderLink;
  /** Where access tokens count. */
  readonly tokens?: ProviderLink;
  /** Called once for each user whose record is damaged. */
  readonly damaged?: (user: string) => void;
}

export class UserTable implements CredentialSource {
  ha1: Uint8Array;
  /** Base algorithms, a bit each, for which every user has an HA1; 0: there is none. All bits: there is no user. */
  algorithms = 7;
  users = 0;
  /** Reads of the store; for tests and counters. */
  reads = 0;
  private readonly db: UserDatabase;
  private readonly reader: UserReader;
  private readonly lookup: UserFinder;
  private realms: readonly Uint8Array[] = [];
  private all = false;
  private readonly hash = new SipHash(randomBytes(16));
  private readonly rowsMax: number;
  private rows = ROWS_FIRST;
  private used = 0;
  private hand = 0;
  private words: Uint32Array;
  private readonly absentKeys = new Uint32Array(4 * ABSENT_ROWS);
  private readonly absentGenerations = new Uint32Array(2 * ABSENT_ROWS);
  private readonly absentUntil = new Float64Array(ABSENT_ROWS);
  private readonly absentKinds = new Int8Array(ABSENT_ROWS);
  private readonly hearsOfDamaged: ((user: string) => void) | null;
  private readonly told = new Set<string>();
  /** By number. */
  private texts: string[] = [''];
  private readonly numbers = new Map<string, number>();
  private generation = 0;
  private learntGeneration = 0;
  private now = 0;
  private readonly countsKey = Uint8Array.of(KEY_COUNTS);
  private readonly counts = new Uint8Array(COUNTS_BYTES);
  /** The realm of the last realmOf() that matched "*" alone. */
  private readonly guest = new Uint8Array(REALM_BYTES_MAX);
  private guestLength = 0;
  // The user found last.
  private name: Uint8Array = this.guest;
  private nameAt = 0;
  private nameEnd = 0;
  private nameIsHash = false;
  private nameRealm = 0;

  /** @throws Error naming the user store where it cannot be opened */
  constructor(options: UserTableOptions) {
    const { provider, tokens } = options;
    this.rowsMax = options.rowsMax ?? ROWS_DEFAULT;
    this.rows = Math.min(ROWS_FIRST, this.rowsMax);
    this.db = openUserDatabase(options.data, 'read');
    this.reader = new UserReader(this.db);
    this.hearsOfDamaged = options.damaged ?? null;
    this.lookup = new UserLookup(this.reader, provider ?? null, tokens ?? null);
    this.words = new Uint32Array(ROW_WORDS * this.rows);
    this.ha1 = new Uint8Array(this.words.buffer);
    this.useRealms(options.realms);
    this.refresh(0);
  }

  /** Replaces the realms. Cached users have indices of realms, so the cache is cleared. @cold */
  useRealms(realms: readonly string[]): void {
    this.realms = realms.filter((name) => name !== '*').map((name) => Buffer.from(name, 'latin1'));
    this.all = realms.includes('*');
    this.forget();
    this.absentKeys.fill(0);
  }

  /** @cold */
  private forget(): void {
    this.words.fill(0);
    this.used = 0;
    this.texts = [''];
    this.numbers.clear();
  }

  /** Once per batch: makes the changes of other threads and processes visible. Never throws. */
  refresh(now: number): void {
    this.now = now;
    const { counts } = this;
    try {
      if (this.reader.read(this.countsKey, counts) !== COUNTS_BYTES) return;
    } catch {
      return; // cached users stay valid; for any other the store is unavailable
    }
    this.generation = readU32(counts, COUNT_GENERATION);
    this.learntGeneration = readU32(counts, COUNT_LEARNT_GENERATION);
    this.users = readU32(counts, COUNT_USERS);
    this.algorithms = 0;
    for (let a = 0; a < 3; a++) if (readU32(counts, COUNT_LACKING + 4 * a) === 0) this.algorithms |= 1 << a;
  }

  /** Index of the realm for a host; -1: it is not served. Valid for find() until the next realmOf(). */
  realmOf(bytes: Uint8Array, at: number, end: number): number {
    const { realms, guest } = this;
    for (let i = 0; i < realms.length; i++) {
      if (sameText(bytes, at, end, realms[i], 0, realms[i].length)) return i;
    }
    if (!this.all || end - at > guest.length) return -1;
    for (let i = 0; i < end - at; i++) {
      const byte = bytes[at + i];
      guest[i] = byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte;
    }
    this.guestLength = end - at;
    return realms.length;
  }

  find(bytes: Uint8Array, at: number, end: number, isUserhash: boolean, realm: number, algorithm: number): number {
    const { hash, words } = this;
    this.name = bytes;
    this.nameAt = at;
    this.nameEnd = end;
    this.nameIsHash = isUserhash;
    this.nameRealm = realm;
    const base = algorithm & ALG_BASE_MASK;
    hash.begin();
    hash.byte(isUserhash ? base | 0x80 : base);
    hash.byte(realm);
    hash.byte(realm >>> 8);
    if (realm === this.realms.length) {
      hash.byte(this.guestLength);
      hash.span(this.guest, 0, this.guestLength);
    }
    hash.span(bytes, at, end);
    hash.end();
    const { out } = hash;
    const first = this.bucket() + this.likelyWay();
    for (let way = 0; way < WAYS; way++) {
      const row = first ^ way;
      const k = ROW_WORDS * row;
      if (words[k] !== out[0] || words[k + 1] !== out[1] || words[k + 2] !== out[2] || words[k + 3] !== out[3])
        continue;
      if (words[k + STATE] === EMPTY) continue;
      if (words[k + GENERATION] === this.generation && words[k + UNTIL] * 1000 >= this.now) {
        words[k + STATE] = USED | USED_LATELY;
        return 4 * (k + HA1);
      }
      return this.load(row, base);
    }
    const known = this.absent();
    return known === 0 ? this.load(-1, base) : known;
  }

  rules(user: number): string {
    return this.texts[this.words[(user >>> 2) - HA1 + RULES]];
  }

  mayRegister(aor: Uint8Array, aorLength: number): boolean {
    const { name, nameAt, nameEnd } = this;
    const realm = this.realmBytes(this.nameRealm);
    const realmLength = this.realmLength(this.nameRealm);
    if (!this.nameIsHash) {
      const host = aorLength - realmLength;
      if (host > 0 && aor[host - 1] === 0x40 && sameBytes(aor, host, aorLength, realm, 0, realmLength)) {
        const length = nameEnd - nameAt;
        if (length === host - 1 && sameBytes(aor, 0, length, name, nameAt, nameEnd)) return true;
        if (length === aorLength && sameBytes(aor, 0, length, name, nameAt, nameEnd)) return true;
      }
    }
    return this.mapped(aor, aorLength, realm, realmLength);
  }

  /** Whether users may register this AOR (canonical) besides their own. @cold */
  isGiven(aor: Uint8Array, aorLength: number): boolean {
    try {
      return this.lookup.isGiven(aor, aorLength);
    } catch {
      return false;
    }
  }

  /** Drops the reader; the last thread closes the database. */
  close(): void {
    this.reader.close();
    void this.db.close();
  }

  private realmBytes(realm: number): Uint8Array {
    return realm === this.realms.length ? this.guest : this.realms[realm];
  }

  private realmLength(realm: number): number {
    return realm === this.realms.length ? this.guestLength : this.realms[realm].length;
  }

  /** State of a user without an HA1, as USER_*; 0: unknown. */
  private absent(): number {
    const { out } = this.hash;
    const row = out[1] & (ABSENT_ROWS - 1);
    const k = 4 * row;
    const held = this.absentKeys;
    if (held[k] !== out[0] || held[k + 1] !== out[1] || held[k + 2] !== out[2] || held[k + 3] !== out[3]) return 0;
    if (this.absentGenerations[2 * row] !== this.generation) return 0;
    if (this.absentGenerations[2 * row + 1] !== this.learntGeneration) return 0;
    if (this.absentUntil[row] < this.now || this.lookup.blocked) return 0;
    return this.absentKinds[row];
  }

  /** Reads the user from the store into a row: its own, if it has one. @cold */
  private load(stale: number, algorithm: number): number {
    const { lookup, nameRealm } = this;
    this.reads++;
    let at: number;
    try {
      const realm = this.realmBytes(nameRealm).subarray(0, this.realmLength(nameRealm));
      const name = this.name.subarray(this.nameAt, this.nameEnd);
      at = lookup.find(name, this.nameIsHash, realm, algorithm, this.now);
    } catch (error) {
      if (error instanceof DamagedUserError) this.damaged(error.user);
      return USER_UNAVAILABLE;
    }
    if (at < 0) {
      if (stale >= 0) this.drop(stale);
      if (at !== USER_UNAVAILABLE) this.keepAbsent(at);
      return at;
    }
    if (this.texts.length > RULES_MAX) this.forget();
    if (stale < 0 && this.used * 2 > this.rows && this.rows < this.rowsMax) this.grow();
    const row = stale >= 0 ? stale : this.freeRow();
    const { out } = this.hash;
    const { words } = this;
    const k = ROW_WORDS * row;
    for (let i = 0; i < 4; i++) words[k + i] = out[i];
    if (words[k + STATE] === EMPTY) this.used++;
    words[k + STATE] = USED | USED_LATELY;
    words[k + GENERATION] = this.generation;
    words[k + RULES] = this.numberOf(rulesOf(lookup.record));
    words[k + UNTIL] = Math.min(NEVER, Math.floor(lookup.until / 1000));
    const ha1At = 4 * (k + HA1);
    for (let i = 0; i < HA1_BYTES; i++) this.ha1[ha1At + i] = i < lookup.length ? lookup.record[at + i] : 0;
    return ha1At;
  }

  /** @cold */
  private numberOf(rules: string): number {
    if (rules === '') return 0;
    const known = this.numbers.get(rules);
    if (known !== undefined) return known;
    this.numbers.set(rules, this.texts.length);
    return this.texts.push(rules) - 1;
  }

  /** @cold */
  private damaged(user: string): void {
    if (this.told.has(user) || this.told.size >= DAMAGED_TOLD_MAX) return;
    this.told.add(user);
    this.hearsOfDamaged?.(user);
  }

  private drop(row: number): void {
    this.words.fill(0, ROW_WORDS * row, ROW_WORDS * (row + 1)); // EMPTY, and the HA1 is gone
    this.used--;
  }

  private keepAbsent(kind: number): void {
    const { out } = this.hash;
    const row = out[1] & (ABSENT_ROWS - 1);
    for (let i = 0; i < 4; i++) this.absentKeys[4 * row + i] = out[i];
    this.absentGenerations[2 * row] = this.generation;
    this.absentGenerations[2 * row + 1] = this.learntGeneration;
    this.absentKinds[row] = kind;
    this.absentUntil[row] = kind === USER_PENDING ? this.now + PENDING_MS : this.lookup.until;
  }

  /** First row of the hash's bucket. */
  private bucket(): number {
    return (this.hash.out[0] & (this.rows / WAYS - 1)) * WAYS;
  }

  /** The way that a user of this hash gets if it is free: `find` looks in it first. */
  private likelyWay(): number {
    return this.hash.out[3] & (WAYS - 1);
  }

  /** A row in the bucket of the hash: free, outdated, or not used lately. */
  private freeRow(): number {
    const { words, generation } = this;
    const first = this.bucket() + this.likelyWay();
    for (let way = 0; way < WAYS; way++) if (words[ROW_WORDS * (first ^ way) + STATE] === EMPTY) return first ^ way;
    for (let way = 0; way < WAYS; way++)
      if (words[ROW_WORDS * (first ^ way) + GENERATION] !== generation) return first ^ way;
    for (let turn = 0; turn <= WAYS; turn++) {
      const row = this.bucket() + (this.hand++ & (WAYS - 1));
      const state = ROW_WORDS * row + STATE;
      if (words[state] === USED) return row;
      words[state] = USED;
    }
    return first;
  }

  /** Doubles the rows. A bucket's users move to the bucket of the same number or to that of its new half. @cold */
  private grow(): void {
    const { rows, words } = this;
    this.rows = rows * 2;
    this.words = new Uint32Array(ROW_WORDS * this.rows);
    this.ha1 = new Uint8Array(this.words.buffer);
    for (let row = 0; row < rows; row++) {
      const from = ROW_WORDS * row;
      if (words[from + STATE] === EMPTY) continue;
      const to = ROW_WORDS * ((words[from] & (this.rows / WAYS - 1)) * WAYS + (row & (WAYS - 1)));
      for (let i = 0; i < ROW_WORDS; i++) this.words[to + i] = words[from + i];
    }
    words.fill(0);
  }

  /** An AOR that is not the user's own by its name: read from the store, as it is rare. @cold */
  private mapped(aor: Uint8Array, aorLength: number, realm: Uint8Array, realmLength: number): boolean {
    try {
      const name = this.name.subarray(this.nameAt, this.nameEnd);
      return this.lookup.mayRegister(name, this.nameIsHash, realm.subarray(0, realmLength), aor, aorLength);
    } catch {
      return false;
    }
  }
}
