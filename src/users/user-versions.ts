// In a cluster the users are the same on all nodes: each change has a version, the greater one wins, and a node keeps its own changes that it has not
// sent yet. These are stored with the users, in the same transactions, so any process that changes a user also queues the change.

import { recordKey, splitKey } from './stored-user.ts';
import type { UserDatabase } from './user-environment.ts';
import type { UserName } from './user-name.ts';

/** A user's version: f64. This and a user, as of the record's key. */
const KEY_VERSION = 0x76;
/** Key of a user whose change must be sent: its version. */
const KEY_UNTOLD = 0x6e;
/** This alone, if users are shared: number of the node, and the last applied message of the stream; f64 each. */
const KEY_SHARED = Buffer.from([0x73]);

/** Node numbers are below this one. */
const NODES = 256;
/** Version of users from before they were shared: any change of another node wins. */
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

  /** The last applied message of other nodes; undefined: users are not shared. */
  get sequence(): number | undefined {
    return this.db.getBinary(KEY_SHARED)?.readDoubleLE(8);
  }

  /** In a transaction: users are shared from now on; existing ones must be sent. */
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

  /** In a transaction that applies a change of another node. */
  took(user: UserName, version: number): void {
    this.set(user, version, false);
    this.db.remove(recordKey(KEY_UNTOLD, user));
  }

  /** In a transaction: the stream has a message with this version of a user; a newer version of this node must then be sent. */
  known(user: UserName, version: number): void {
    const own = this.of(user);
    const key = recordKey(KEY_UNTOLD, user);
    if (version < own) this.db.put(key, doubles(own));
    else if (version === own) this.db.remove(key);
  }

  /** In a transaction: all users must be sent, removals too. */
  tellAgain(): void {
    const range = { start: Buffer.from([KEY_VERSION]), end: Buffer.from([KEY_VERSION + 1]) };
    for (const { key, value } of [...this.db.getRange(range)])
      this.db.put(recordKey(KEY_UNTOLD, splitKey(key, 1)), value);
  }

  /** Some of this node's changes that are not sent yet. */
  untold(limit: number): Untold[] {
    const range = { start: Buffer.from([KEY_UNTOLD]), end: Buffer.from([KEY_UNTOLD + 1]), limit };
    return [...this.db.getRange(range)].map(({ key, value }) => ({
      user: splitKey(key, 1),
      version: value.readDoubleLE(),
    }));
  }

  /** In a transaction: these changes have been sent, unless the users have changed since. */
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
