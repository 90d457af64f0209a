// The user store: users are added, changed and removed, one transaction a step, as `aorta user` does it.

import { ha1sOf } from '../../../src/users/ha1.ts';
import { UserStore } from '../../../src/users/user-store.ts';
import { Random } from '../../simulation/shards/random.ts';
import type { Content, Run, Subject } from '../subject.ts';

const REALM = 'example.com';
const NAMES = 40;

interface Change {
  readonly name: string;
  readonly password: string | undefined;
  readonly aors: readonly string[];
}

/** The changes of a step; a user comes once. */
function changesOf(seed: number, step: number): Change[] {
  const random = new Random(seed * 7919 + step);
  const isImport = random.chance(0.2);
  const changes = new Map<string, Change>();
  for (let i = isImport ? random.between(5, 30) : 1; i > 0; i--) {
    const name = `user${random.between(0, NAMES - 1)}`;
    const password = !isImport && random.chance(0.3) ? undefined : `${name}-${step}`;
    const aors = random.chance(0.3) ? [`desk${random.between(0, 9)}@${REALM}`] : [];
    changes.set(name, { name, password, aors });
  }
  return [...changes.values()];
}

class UsersRun implements Run {
  private readonly store: UserStore;
  private readonly seed: number;

  constructor(directory: string, seed: number) {
    this.store = UserStore.open(directory);
    this.seed = seed;
  }

  async step(n: number): Promise<void> {
    const changes = changesOf(this.seed, n);
    const [first] = changes;
    if (first.password === undefined) this.store.remove({ name: first.name, realm: REALM });
    else
      this.store.put(
        changes.map(({ name, password, aors }) => ({
          name,
          realm: REALM,
          ha1s: ha1sOf(name, REALM, password ?? ''),
          aors,
        })),
        'any',
      );
  }

  content(): Content {
    const { store } = this;
    const content = new Map<string, string>([['count', String(store.count)]]);
    for (const { name, ha1s, aors } of store.all()) content.set(name, textOf(ha1s[0]?.toString('hex'), aors));
    for (const { name } of store.removed()) content.set(`removed ${name}`, '');
    return content;
  }

  close(): Promise<void> {
    return this.store.close();
  }
}

function textOf(ha1: string | undefined, aors: readonly string[]): string {
  return `${ha1} ${aors.join()}`;
}

export const USERS: Subject = {
  name: 'users',
  steps: 40,
  open: (directory, seed) => new UsersRun(`${directory}/data`, seed),
  expected(seed, steps) {
    const users = new Map<string, string>();
    const removed = new Map<string, string>();
    for (let n = 0; n < steps; n++) {
      for (const { name, password, aors } of changesOf(seed, n)) {
        if (password === undefined) {
          if (users.delete(name)) removed.set(`removed ${name}`, '');
        } else {
          users.set(name, textOf(ha1sOf(name, REALM, password)[0]?.toString('hex'), aors));
          removed.delete(`removed ${name}`);
        }
      }
    }
    return new Map([['count', String(users.size)], ...users, ...removed]);
  },
};
