// The users on disk: HA1s by user and realm, never a password. Every change is one durable transaction and raises the generation that running servers
// watch. Shards read users through users/user-table.

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

/** Whether to add missing users, replace existing ones, or both. */
export type PutMode = 'add' | 'replace' | 'any';

export interface PutCounts {
  added: number;
  replaced: number;
  /** Users left unchanged, by PutMode. */
  refused: number;
}

/** A change of a user by another node. */
export interface SharedUser extends UserName {
  readonly version: number;
  /** The user after the change; undefined: it was removed. */
  readonly user: User | undefined;
}

export class UserStore {
  /** Versions of the users, in a cluster. */
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

  /** Opens the store, and makes a missing one. Other processes may have it open. Throws an Error that names the directory. */
  static open(dataDirectory: string): UserStore {
    const store = new UserStore(openUserDatabase(dataDirectory, 'write'));
    if (store.db.getBinary(COUNTS_KEY) === undefined) store.change(COUNT_GENERATION, () => {});
    if (store.db.getBinary(AORS_KEY) === undefined) store.indexAors();
    return store;
  }

  /** Opens an existing store for reading alone. */
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

  /** Number of users, without those from a provider. */
  get count(): number {
    return this.counts().getUint32(COUNT_USERS, true);
  }

  /** Number of users without an HA1 for MD5, SHA-256 and SHA-512-256: they cannot log in if only that one is offered. */
  get lacking(): readonly number[] {
    const counts = this.counts();
    return HA1_LENGTHS.map((_, algorithm) => counts.getUint32(COUNT_LACKING + 4 * algorithm, true));
  }

  get(user: UserName): User | undefined {
    return this.look(recordKey(KEY_USER, user));
  }

  /** Writes users in one transaction. Without `aors` or `rules`, an existing user keeps its own. */
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

  /** False: there is no such user. A running server, or the next one, also removes its bindings. */
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

  /** Makes the users those of a cluster. @param node number of this one */
  share(node: number): void {
    if (this.versions.sequence !== undefined) return;
    this.change(COUNT_GENERATION, () => this.versions.share(node, this.all()));
  }

  /**
   * Applies changes of other nodes that are newer than the users of this one. The node that removes a user also removes its bindings.
   * @param sequence last message of the stream that is applied then
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
        if (change.version <= this.versions.of(change)) continue; // the user has a newer change in the same call
        const key = recordKey(KEY_USER, change);
        if (change.user === undefined) this.erase(counts, change);
        else this.write(counts, key, this.db.getBinary(key), change.user);
        this.versions.took(change, change.version);
      }
      this.versions.setSequence(sequence);
    });
  }

  /** The stream of users is lost: all users must be sent to the other nodes again. */
  tellAgain(): void {
    this.db.transactionSync(() => {
      this.versions.tellAgain();
      this.versions.setSequence(0);
    });
  }

  /** Notes that the other nodes have these changes. */
  told(changes: readonly Untold[]): void {
    this.db.transactionSync(() => this.versions.told(changes));
  }

  /** A page of removed users whose bindings are not removed yet. */
  removed(): UserName[] {
    const range = { start: Buffer.from([KEY_REMOVED]), end: Buffer.from([KEY_REMOVED + 1]), limit: PAGE };
    return [...this.db.getRange(range)].map(({ key }) => splitKey(key, 1));
  }

  /** Notes that their bindings are removed. */
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
      start = Buffer.concat([Buffer.from([KEY_USER]), Buffer.from(realm), Buffer.from([1])]); // after all users of the realm
    }
  }

  /** Every user, by realm and name. @param after begins after this one */
  *all(after?: UserName): Generator<User> {
    for (const { key, value } of this.db.getRange({
      start: after ? Buffer.concat([recordKey(KEY_USER, after), Buffer.from([0])]) : Buffer.from([KEY_USER]),
      end: Buffer.from([KEY_USER + 1]),
    })) {
      const user = decodeUser(key, value);
      if (user !== undefined) yield user;
    }
  }

  /** A provider's answer about a user, if there is one. */
  learnt(user: UserName): LearntUser | undefined {
    return this.look(recordKey(KEY_LEARNT, user));
  }

  /** Stores a provider's answer; resolves when it is on disk. Simultaneous calls share a transaction. */
  async learn(user: LearntUser): Promise<void> {
    await this.db.transaction(() => {
      const local = this.get(user) !== undefined;
      if (!local) this.index(user, this.learnt(user)?.ha1s ?? [], user.ha1s);
      const key = recordKey(KEY_LEARNT, user);
      this.db.put(key, encodeUser(key, user) as Buffer);
      this.raise(COUNT_LEARNT_GENERATION);
    });
  }

  /** Removes the provider's answers that `which` selects, a page at a time, so that no other work waits. */
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

  /** Removes the provider's answers about these users. */
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
   * Checks every record: reports damaged ones, and seals those from before there were checksums. A page at a time, so that no other
   * work waits.
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

  /** Adds the checksums. The users stay the same, so no generation is raised. */
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

  /** Makes the index of AORs in a store from before it existed. */
  private indexAors(): void {
    this.change(COUNT_GENERATION, () => {
      for (const { aors } of this.all()) this.countAors(aors, 1);
      this.db.put(AORS_KEY, Buffer.alloc(0));
    });
  }

  /** Changes the number of users that may register these AORs besides their own. */
  private countAors(aors: readonly string[], change: 1 | -1): void {
    for (const aor of aors) {
      const key = Buffer.concat([AORS_KEY, Buffer.from(aor)]);
      const users = (this.db.getBinary(key)?.readUInt32LE() ?? 0) + change;
      if (users <= 0) this.db.remove(key);
      else this.db.put(key, Buffer.from(Uint32Array.of(users).buffer));
    }
  }

  /** Updates the userhashes of a user: one for each algorithm with an HA1. */
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

/** Records checked at a time. */
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
