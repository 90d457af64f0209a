// The users on disk: HA1s by user and realm, never a password. Every change is one durable transaction and raises the
// generation that running servers watch. How a shard reads them is users/user-table's.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Ha1Set } from './ha1.ts';
import { decodeUser, encodeUser, type LearntUser, recordKey, splitKey, type User, userhashKey } from './stored-user.ts';
import { openUserDatabase, type UserDatabase, userDirectory } from './user-environment.ts';
import type { UserName } from './user-name.ts';
import {
  COUNT_GENERATION,
  COUNT_LACKING,
  COUNT_LEARNT_GENERATION,
  COUNT_USERS,
  COUNTS_BYTES,
  HA1_FULL,
  HA1_LENGTHS,
  KEY_AOR,
  KEY_COUNTS,
  KEY_LEARNT,
  KEY_REMOVED,
  KEY_USER,
  openUser,
  sealUser,
  USER_DAMAGED,
  USER_VERSION,
  USER_VERSION_UNSEALED,
} from './user-record.ts';
import { type Untold, UserVersions } from './user-versions.ts';

/** What to do with a user that is there already, and with one that is not. */
export type PutMode = 'add' | 'replace' | 'any';

export interface PutCounts {
  added: number;
  replaced: number;
  /** Left as they were, by PutMode. */
  refused: number;
}

/** A change of a user that another node has made. */
export interface SharedUser extends UserName {
  readonly version: number;
  /** As it is from then on; undefined: it is no user any more. */
  readonly user: User | undefined;
}

export class UserStore {
  /** Where the users are a cluster's. */
  readonly versions: UserVersions;
  private readonly db: UserDatabase;
  private stopped = false;

  private constructor(db: UserDatabase) {
    this.db = db;
    this.versions = new UserVersions(db);
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

  /** Opens a store that is there, to look at: it writes nothing. */
  static openToRead(dataDirectory: string): UserStore {
    return new UserStore(openUserDatabase(dataDirectory, 'read'));
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
        this.write(counts, key, value, user);
        this.versions.note(user);
        if (value === undefined) result.added++;
        else result.replaced++;
      }
    });
    return result;
  }

  private write(
    counts: DataView,
    key: Buffer,
    value: Buffer | undefined,
    user: Omit<User, 'aors'> & { readonly aors?: readonly string[] },
  ): void {
    const before = value === undefined ? undefined : decodeUser(key, value);
    const aors = user.aors ?? before?.aors ?? [];
    const rules = user.rules ?? before?.rules ?? '';
    this.db.put(key, encodeUser(key, { ...user, aors, rules }) as Buffer);
    this.countAors(before?.aors ?? [], -1);
    this.countAors(aors, 1);
    this.db.remove(recordKey(KEY_REMOVED, user));
    if (value === undefined) add(counts, COUNT_USERS, 1);
    else addLacking(counts, before?.ha1s ?? [], -1);
    addLacking(counts, user.ha1s, 1);
    this.index(user, before?.ha1s ?? [], user.ha1s);
  }

  /** False: there is no such user. A running server, or the next one, sees to it that the bindings go as well. */
  remove(user: UserName): boolean {
    let removed = false;
    this.change(COUNT_GENERATION, (counts) => {
      removed = this.erase(counts, user);
      if (!removed) return;
      this.db.put(recordKey(KEY_REMOVED, user), Buffer.alloc(0));
      this.versions.note(user);
    });
    return removed;
  }

  private erase(counts: DataView, user: UserName): boolean {
    const key = recordKey(KEY_USER, user);
    const value = this.db.getBinary(key);
    if (value === undefined) return false;
    const { ha1s = [], aors = [] } = decodeUser(key, value) ?? {};
    add(counts, COUNT_USERS, -1);
    addLacking(counts, ha1s, -1);
    this.index(user, ha1s, []);
    this.countAors(aors, -1);
    this.db.remove(key);
    return true;
  }

  /** Users are a cluster's from here on. @param node number of this one */
  share(node: number): void {
    if (this.versions.sequence !== undefined) return;
    this.change(COUNT_GENERATION, () => this.versions.share(node, this.all()));
  }

  /**
   * Takes in what other nodes have changed, where it is newer than what is here. Bindings of users that are removed are seen to by the node
   * that has removed them.
   * @param sequence up to which all has been taken in then
   */
  takeShared(changes: readonly SharedUser[], sequence: number): void {
    const newer = changes.filter((change) => change.version > this.versions.of(change));
    this.db.transactionSync(() => {
      for (const change of changes) this.versions.known(change, change.version);
      if (newer.length === 0) this.versions.setSequence(sequence);
    });
    if (newer.length === 0) return;
    this.change(COUNT_GENERATION, (counts) => {
      for (const change of newer) {
        if (change.version <= this.versions.of(change)) continue; // twice among them
        const key = recordKey(KEY_USER, change);
        if (change.user === undefined) this.erase(counts, change);
        else this.write(counts, key, this.db.getBinary(key), change.user);
        this.versions.took(change, change.version);
      }
      this.versions.setSequence(sequence);
    });
  }

  /** What told the other nodes of users is lost: all are to be told again. */
  tellAgain(): void {
    this.db.transactionSync(() => {
      this.versions.tellAgain();
      this.versions.setSequence(0);
    });
  }

  /** Other nodes know these changes. */
  told(changes: readonly Untold[]): void {
    this.db.transactionSync(() => this.versions.told(changes));
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
      this.db.put(key, encodeUser(key, user) as Buffer);
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
