// The users on disk: HA1s by user and realm, never a password. Every change is one durable transaction and raises the
// generation that running servers watch. How a shard reads them is users/user-table's.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Ha1Set, userhashOf } from './ha1.ts';
import { openUserDatabase, type UserDatabase, userDirectory } from './user-environment.ts';
import { RECORD_BYTES_MAX } from './user-lookup.ts';
import type { UserName } from './user-name.ts';
import {
  aorsOffset,
  COUNT_GENERATION,
  COUNT_LACKING,
  COUNT_LEARNT_GENERATION,
  COUNT_USERS,
  COUNTS_BYTES,
  HA1_FULL,
  HA1_KINDS,
  HA1_LENGTHS,
  ha1Offset,
  KEY_AOR,
  KEY_COUNTS,
  KEY_LEARNT,
  KEY_REMOVED,
  KEY_USER,
  KEY_USERHASH,
  openUser,
  rulesOf,
  sealUser,
  USER_DAMAGED,
  USER_FLAGS,
  USER_FRESH_UNTIL,
  USER_HAVE,
  USER_HEADER_BYTES,
  USER_NONE,
  USER_RULES,
  USER_USABLE_UNTIL,
  USER_VERSION,
  USER_VERSION_UNSEALED,
} from './user-record.ts';

export interface User extends UserName {
  readonly ha1s: Ha1Set;
  /** Canonical AORs of others that it may register. */
  readonly aors: readonly string[];
  /** Rules for the user alone, as JSON of a DomainPolicy (core/uas/policy.ts); '' or absent: none. */
  readonly rules?: string;
}

/** What a provider told about a user; no HA1s: there is no such user. */
export interface LearntUser extends User {
  readonly none: boolean;
  /** Epoch ms up to which it is used as it stands. */
  readonly freshUntil: number;
  /** Epoch ms up to which it is used while the provider cannot be asked. */
  readonly usableUntil: number;
}

/** What to do with a user that is there already, and with one that is not. */
export type PutMode = 'add' | 'replace' | 'any';

export interface PutCounts {
  added: number;
  replaced: number;
  /** Left as they were, by PutMode. */
  refused: number;
}

export class UserStore {
  private readonly db: UserDatabase;
  private stopped = false;

  private constructor(db: UserDatabase) {
    this.db = db;
  }

  /** Whether a data directory has a user store. */
  static exists(dataDirectory: string): boolean {
    return existsSync(join(userDirectory(dataDirectory), 'data.mdb'));
  }

  /** Opens the store, making it where it is missing. Others may have it open. Throws an Error that names the directory. */
  static open(dataDirectory: string): UserStore {
    const store = new UserStore(openUserDatabase(dataDirectory, 'write'));
    if (store.db.getBinary(COUNTS_KEY) === undefined) store.change(COUNT_GENERATION, () => {});
    if (store.db.getBinary(AORS_KEY) === undefined) store.indexAors();
    return store;
  }

  /** Resolves when the environment is closed. */
  async close(): Promise<void> {
    this.stopExamining();
    await this.db.close();
  }

  stopExamining(): void {
    this.stopped = true;
  }

  /** Number of users, without those that a provider told about. */
  get count(): number {
    return this.counts().getUint32(COUNT_USERS, true);
  }

  /** Users without an HA1 for MD5, SHA-256 and SHA-512-256: they cannot log in where only that one is offered. */
  get lacking(): readonly number[] {
    const counts = this.counts();
    return HA1_LENGTHS.map((_, algorithm) => counts.getUint32(COUNT_LACKING + 4 * algorithm, true));
  }

  get(user: UserName): User | undefined {
    return this.look(recordKey(KEY_USER, user));
  }

  /** Writes users in one transaction. Where `aors` or `rules` are absent, a user that is there keeps its own. */
  put(users: readonly (Omit<User, 'aors'> & { aors?: readonly string[] })[], mode: PutMode): PutCounts {
    const result: PutCounts = { added: 0, replaced: 0, refused: 0 };
    this.change(COUNT_GENERATION, (counts) => {
      for (const user of users) {
        const key = recordKey(KEY_USER, user);
        const value = this.db.getBinary(key);
        if (value === undefined ? mode === 'replace' : mode === 'add') {
          result.refused++;
          continue;
        }
        const before = value === undefined ? undefined : decodeUser(key, value);
        const aors = user.aors ?? before?.aors ?? [];
        const rules = user.rules ?? before?.rules ?? '';
        this.db.put(key, encode(key, { ...user, aors, rules }) as Buffer);
        this.countAors(before?.aors ?? [], -1);
        this.countAors(aors, 1);
        this.db.remove(recordKey(KEY_REMOVED, user));
        if (value === undefined) add(counts, COUNT_USERS, 1);
        else addLacking(counts, before?.ha1s ?? [], -1);
        addLacking(counts, user.ha1s, 1);
        this.index(user, before?.ha1s ?? [], user.ha1s);
        if (value === undefined) result.added++;
        else result.replaced++;
      }
    });
    return result;
  }

  /** False: there is no such user. A running server, or the next one, sees to it that the bindings go as well. */
  remove(user: UserName): boolean {
    let removed = false;
    this.change(COUNT_GENERATION, (counts) => {
      const key = recordKey(KEY_USER, user);
      const value = this.db.getBinary(key);
      if (value === undefined) return;
      const { ha1s = [], aors = [] } = decodeUser(key, value) ?? {};
      add(counts, COUNT_USERS, -1);
      addLacking(counts, ha1s, -1);
      this.index(user, ha1s, []);
      this.countAors(aors, -1);
      this.db.remove(key);
      this.db.put(recordKey(KEY_REMOVED, user), Buffer.alloc(0));
      removed = true;
    });
    return removed;
  }

  /** Users that were removed and whose bindings have not been seen to, a page of them. */
  removed(): UserName[] {
    const range = { start: Buffer.from([KEY_REMOVED]), end: Buffer.from([KEY_REMOVED + 1]), limit: PAGE };
    return [...this.db.getRange(range)].map(({ key }) => splitKey(key, 1));
  }

  /** Their bindings are gone. */
  async settleRemoved(users: readonly UserName[]): Promise<void> {
    await this.db.transaction(() => {
      for (const user of users) this.db.remove(recordKey(KEY_REMOVED, user));
    });
  }

  /** The realms that users have. */
  realms(): string[] {
    const found: string[] = [];
    for (let start = Buffer.from([KEY_USER]); ; ) {
      const [next] = this.db.getRange({ start, end: Buffer.from([KEY_USER + 1]), limit: 1 });
      if (next === undefined) return found;
      const { realm } = splitKey(next.key, 1);
      found.push(realm);
      start = Buffer.concat([Buffer.from([KEY_USER]), Buffer.from(realm), Buffer.from([1])]); // behind all of it
    }
  }

  /** Every user, by realm and name. @param after begin behind this one */
  *all(after?: UserName): Generator<User> {
    for (const { key, value } of this.db.getRange({
      start: after ? Buffer.concat([recordKey(KEY_USER, after), Buffer.from([0])]) : Buffer.from([KEY_USER]),
      end: Buffer.from([KEY_USER + 1]),
    })) {
      const user = decodeUser(key, value);
      if (user !== undefined) yield user;
    }
  }

  /** What a provider told about a user, if anything. */
  learnt(user: UserName): LearntUser | undefined {
    return this.look(recordKey(KEY_LEARNT, user));
  }

  /** Keeps what a provider told; resolves when it is on disk. Calls that come together share a transaction. */
  async learn(user: LearntUser): Promise<void> {
    await this.db.transaction(() => {
      const local = this.get(user) !== undefined;
      if (!local) this.index(user, this.learnt(user)?.ha1s ?? [], user.ha1s);
      const key = recordKey(KEY_LEARNT, user);
      this.db.put(key, encode(key, user) as Buffer);
      this.raise(COUNT_LEARNT_GENERATION);
    });
  }

  /** Takes out of what a provider told all that `which` says, a page at a time, so that nobody waits for it. */
  async forget(which: (user: LearntUser) => boolean): Promise<void> {
    let start = Buffer.from([KEY_LEARNT]);
    for (let more = true; more; ) {
      const page = [...this.db.getRange({ start, end: Buffer.from([KEY_LEARNT + 1]), limit: PAGE })];
      const gone = page.filter(({ key, value }) => {
        const user = decodeUser(key, value);
        return user === undefined || which(user);
      });
      await this.drop(gone.map(({ key }) => Buffer.from(key)));
      await nextTurn();
      more = page.length === PAGE;
      if (more) start = Buffer.concat([page[PAGE - 1].key, Buffer.from([0])]);
    }
  }

  /** Takes out what a provider told about these. */
  async unlearn(users: readonly UserName[]): Promise<void> {
    await this.drop(users.map((user) => recordKey(KEY_LEARNT, user)));
  }

  private async drop(keys: readonly Buffer[]): Promise<void> {
    if (keys.length === 0) return;
    await this.db.transaction(() => {
      for (const key of keys) {
        const user = splitKey(key, 1);
        if (this.get(user) === undefined) this.index(user, this.learnt(user)?.ha1s ?? [], []);
        this.db.remove(key);
      }
      this.raise(COUNT_LEARNT_GENERATION);
    });
  }

  /**
   * Looks at every record: tells of those that are damaged, and seals those of before there were checksums. A page at a time, so that
   * nobody waits for it.
   */
  async examine(damaged: (user: UserName) => void): Promise<void> {
    for (const kind of [KEY_USER, KEY_LEARNT]) {
      let start = Buffer.from([kind]);
      for (let more = true; more && !this.stopped; ) {
        const page = [...this.db.getRange({ start, end: Buffer.from([kind + 1]), limit: PAGE })];
        for (const { key, value } of page)
          if (openUser(key, value, value.length) === USER_DAMAGED) damaged(splitKey(key, 1));
        await this.seal(
          page.filter(({ value }) => value[0] === USER_VERSION_UNSEALED).map(({ key }) => Buffer.from(key)),
        );
        await nextTurn();
        more = page.length === PAGE;
        if (more) start = Buffer.concat([page[PAGE - 1].key, Buffer.from([0])]);
      }
    }
  }

  /** Nobody sees a difference, so no generation is raised. */
  private async seal(keys: readonly Buffer[]): Promise<void> {
    if (keys.length === 0) return;
    await this.db.transaction(() => {
      for (const key of keys) {
        const value = this.db.getBinary(key);
        if (value === undefined || value[0] !== USER_VERSION_UNSEALED) continue;
        const record = Buffer.from(value);
        record[0] = USER_VERSION;
        this.db.put(key, sealUser(key, record) as Buffer);
      }
    });
  }

  private look(key: Buffer): LearntUser | undefined {
    const value = this.db.getBinary(key);
    return value === undefined ? undefined : decodeUser(key, value);
  }

  private counts(): DataView {
    const value = this.db.getBinary(COUNTS_KEY);
    const counts = new DataView(new ArrayBuffer(COUNTS_BYTES));
    value?.forEach((byte, i) => {
      if (i < COUNTS_BYTES) counts.setUint8(i, byte);
    });
    return counts;
  }

  private raise(generation: number): void {
    const counts = this.counts();
    counts.setUint32(generation, counts.getUint32(generation, true) + 1, true);
    this.db.put(COUNTS_KEY, Buffer.from(counts.buffer));
  }

  /** One synchronous transaction around `work`. Block bodies: a returned thenable would end the wait for the commit. */
  private change(generation: number, work: (counts: DataView) => void): void {
    this.db.transactionSync(() => {
      const counts = this.counts();
      work(counts);
      counts.setUint32(generation, counts.getUint32(generation, true) + 1, true);
      this.db.put(COUNTS_KEY, Buffer.from(counts.buffer));
    });
  }

  /** For a store of before there was such an index. */
  private indexAors(): void {
    this.change(COUNT_GENERATION, () => {
      for (const { aors } of this.all()) this.countAors(aors, 1);
      this.db.put(AORS_KEY, Buffer.alloc(0));
    });
  }

  /** So many more users may register these besides their own. */
  private countAors(aors: readonly string[], change: 1 | -1): void {
    for (const aor of aors) {
      const key = Buffer.concat([AORS_KEY, Buffer.from(aor)]);
      const users = (this.db.getBinary(key)?.readUInt32LE() ?? 0) + change;
      if (users <= 0) this.db.remove(key);
      else this.db.put(key, Buffer.from(Uint32Array.of(users).buffer));
    }
  }

  /** Brings the userhashes of a user in line: one for each algorithm that it has an HA1 for. */
  private index(user: UserName, before: Ha1Set, after: Ha1Set): void {
    for (let algorithm = 0; algorithm < HA1_FULL; algorithm++) {
      const wanted = after[algorithm] !== undefined;
      if (wanted === (before[algorithm] !== undefined)) continue;
      const key = userhashKey(user, algorithm);
      if (wanted) this.db.put(key, recordKey(KEY_USER, user).subarray(1) as Buffer);
      else this.db.remove(key);
    }
  }
}

/** Of a record's key. */
export function userNameOf(key: Uint8Array): UserName {
  return splitKey(key, 1);
}

/** Records looked at in one go. */
const PAGE = 500;

const COUNTS_KEY = Buffer.from([KEY_COUNTS]);
const AORS_KEY = Buffer.from([KEY_AOR]);

function add(counts: DataView, at: number, n: number): void {
  counts.setUint32(at, counts.getUint32(at, true) + n, true);
}

function addLacking(counts: DataView, ha1s: Ha1Set, n: number): void {
  for (let algorithm = 0; algorithm < HA1_FULL; algorithm++) {
    if (ha1s[algorithm] === undefined) add(counts, COUNT_LACKING + 4 * algorithm, n);
  }
}

function recordKey(kind: number, { name, realm }: UserName): Buffer {
  return Buffer.concat([Buffer.from([kind]), Buffer.from(realm), Buffer.from([0]), Buffer.from(name)]);
}

function userhashKey({ name, realm }: UserName, algorithm: number): Buffer {
  return Buffer.concat([Buffer.from([KEY_USERHASH, algorithm]), userhashOf(name, realm, algorithm)]);
}

function splitKey(key: Uint8Array, start: number): UserName {
  const text = Buffer.from(key.subarray(start)).toString();
  const zero = text.indexOf('\0');
  return { realm: text.slice(0, zero), name: text.slice(zero + 1) };
}

function encode(key: Uint8Array, user: User & Partial<LearntUser>): Uint8Array {
  const header = Buffer.alloc(USER_HEADER_BYTES);
  header[0] = USER_VERSION;
  header[USER_FLAGS] = user.none === true ? USER_NONE : 0;
  header.writeDoubleLE(user.freshUntil ?? 0, USER_FRESH_UNTIL);
  header.writeDoubleLE(user.usableUntil ?? 0, USER_USABLE_UNTIL);
  const parts: Uint8Array[] = [header];
  for (let kind = 0; kind < HA1_KINDS; kind++) {
    const ha1 = user.ha1s[kind];
    if (ha1 === undefined) continue;
    if (ha1.length !== HA1_LENGTHS[kind % HA1_FULL]) throw new RangeError('an HA1 of the wrong length');
    header[USER_HAVE] |= 1 << kind;
    parts.push(ha1);
  }
  if (user.rules) header[USER_FLAGS] |= USER_RULES;
  for (const one of [...(user.rules ? [user.rules] : []), ...user.aors]) {
    const text = Buffer.from(one);
    parts.push(Buffer.from([text.length, text.length >>> 8]), text);
  }
  const record = Buffer.concat(parts);
  if (record.length > RECORD_BYTES_MAX) throw new RangeError('a user with too many AORs');
  return sealUser(key, record);
}

/** Undefined: a record of another version, or damaged. */
export function decodeUser(key: Uint8Array, sealed: Buffer): LearntUser | undefined {
  const length = openUser(key, sealed, sealed.length);
  if (length === USER_DAMAGED) return undefined;
  const value = sealed.subarray(0, length);
  const user = splitKey(key, 1);
  const ha1s = Array.from({ length: HA1_KINDS }, (_, kind) => {
    const at = ha1Offset(value, value.length, kind);
    return at < 0 ? undefined : Buffer.from(value.subarray(at, at + HA1_LENGTHS[kind % HA1_FULL]));
  });
  const aors: string[] = [];
  for (let at = aorsOffset(value); at + 2 <= value.length; ) {
    const length = value.readUInt16LE(at);
    aors.push(value.subarray(at + 2, at + 2 + length).toString());
    at += 2 + length;
  }
  return {
    name: user.name,
    realm: user.realm,
    ha1s,
    aors,
    rules: rulesOf(value),
    none: (value[USER_FLAGS] & USER_NONE) !== 0,
    freshUntil: value.readDoubleLE(USER_FRESH_UNTIL),
    usableUntil: value.readDoubleLE(USER_USABLE_UNTIL),
  };
}
