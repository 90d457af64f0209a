// In a cluster the users are the same on all nodes: each change has a version, the greater one counts, and a node keeps which of its own
// it has not told the others yet. It stands beside the users, in the same transactions, so whoever changes one here leaves it to be told.

import { recordKey, splitKey } from './stored-user.ts';
import type { UserDatabase } from './user-environment.ts';
import type { UserName } from './user-name.ts';

/** A user's version: f64. This and a user, as of the record's key. */
const KEY_VERSION = 0x76;
/** Of a user whose change is to be told: its version. */
const KEY_UNTOLD = 0x6e;
/** This alone, where users are shared: number of the node, and how far its stream has been taken in; f64 each. */
const KEY_SHARED = Buffer.from([0x73]);

/** Node numbers are below. */
const NODES = 256;
/** Of users that were there before they were shared: whatever another node says counts more. */
const FIRST = 1;

export interface Untold {
  readonly user: UserName;
  readonly version: number;
}

export class UserVersions {
  private readonly db: UserDatabase;

  constructor(db: UserDatabase) {
    this.db = db;
  }

  /** Of what was told by others, the last message taken in; undefined where users are not shared. */
  get sequence(): number | undefined {
    return this.db.getBinary(KEY_SHARED)?.readDoubleLE(8);
  }

  /** In a transaction: users are shared from here on; those that are there are to be told. */
  share(node: number, users: Iterable<UserName>): void {
    this.mark(node, 0);
    for (const user of users) this.set(user, FIRST * NODES + node, true);
  }

  /** In a transaction. */
  setSequence(sequence: number): void {
    this.mark(this.node, sequence);
  }

  of(user: UserName): number {
    return this.db.getBinary(recordKey(KEY_VERSION, user))?.readDoubleLE() ?? 0;
  }

  /** In a transaction that changes a user here. */
  note(user: UserName): void {
    const { node } = this;
    if (node === 0) return;
    const after = Math.floor(this.of(user) / NODES) + 1;
    this.set(user, Math.max(Date.now(), after) * NODES + node, true);
  }

  /** In a transaction that takes in what another node has told. */
  took(user: UserName, version: number): void {
    this.set(user, version, false);
    this.db.remove(recordKey(KEY_UNTOLD, user));
  }

  /** In a transaction: what the others know of is told by a message with this version, which may be an older one than is here. */
  known(user: UserName, version: number): void {
    const own = this.of(user);
    const key = recordKey(KEY_UNTOLD, user);
    if (version < own) this.db.put(key, doubles(own));
    else if (version === own) this.db.remove(key);
  }

  /** In a transaction: all that is here is to be told, removals too. */
  tellAgain(): void {
    const range = { start: Buffer.from([KEY_VERSION]), end: Buffer.from([KEY_VERSION + 1]) };
    for (const { key, value } of [...this.db.getRange(range)])
      this.db.put(recordKey(KEY_UNTOLD, splitKey(key, 1)), value);
  }

  /** Changes of this node that the others do not know, some of them. */
  untold(limit: number): Untold[] {
    const range = { start: Buffer.from([KEY_UNTOLD]), end: Buffer.from([KEY_UNTOLD + 1]), limit };
    return [...this.db.getRange(range)].map(({ key, value }) => ({
      user: splitKey(key, 1),
      version: value.readDoubleLE(),
    }));
  }

  /** In a transaction: these are known, unless they have changed since. */
  told(changes: readonly Untold[]): void {
    for (const { user, version } of changes) {
      const key = recordKey(KEY_UNTOLD, user);
      if (this.db.getBinary(key)?.readDoubleLE() === version) this.db.remove(key);
    }
  }

  /** 0: users are not shared. */
  private get node(): number {
    return this.db.getBinary(KEY_SHARED)?.readDoubleLE() ?? 0;
  }

  private mark(node: number, sequence: number): void {
    this.db.put(KEY_SHARED, doubles(node, sequence));
  }

  private set(user: UserName, version: number, isUntold: boolean): void {
    this.db.put(recordKey(KEY_VERSION, user), doubles(version));
    if (isUntold) this.db.put(recordKey(KEY_UNTOLD, user), doubles(version));
  }
}

function doubles(...numbers: readonly number[]): Buffer {
  const bytes = Buffer.alloc(numbers.length * 8);
  for (const [i, number] of numbers.entries()) bytes.writeDoubleLE(number, i * 8);
  return bytes;
}
