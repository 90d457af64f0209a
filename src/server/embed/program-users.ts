// Users of the data directory as a program changes them: the user store with the checks of the admin API, loaded when they are first
// asked for.

import type { UserStore } from '../../users/user-store.ts';
import type { NewUser, ShownUser } from '../admin/user-routes.ts';
import { told, whileRunning } from './program-bindings.ts';

export type { NewUser, ShownUser };

/** Users who log in with digest. A name is `alice@example.com`; a RangeError says that it is none, or not of a served domain. */
export interface ProgramUsers {
  get(user: string): Promise<ShownUser | undefined>;
  /** In the order of their names. */
  list(filter?: { readonly domain?: string; readonly match?: string }): AsyncIterable<ShownUser>;
  /** Adds a user, or gives it another password (or HA1s), other AORs or rules. In force with the next request. */
  set(user: string, given: NewUser): Promise<void>;
  /** False where there was none. With threads its bindings leave within a second or two. */
  remove(user: string): Promise<boolean>;
}

export interface UserAccess {
  /** The data directory; undefined where there is none, or nobody logs in. */
  readonly data: string | undefined;
  readonly domains: () => readonly string[];
}

type Edits = ReturnType<typeof import('../admin/user-routes.ts').userEdits>;

interface Opened {
  readonly store: UserStore;
  readonly edits: Edits;
}

/** @param access throws where the registrar does not run */
export function programUsers(access: () => UserAccess): ProgramUsers & { close(): Promise<void> } {
  let opening: Promise<Opened> | undefined;
  const opened = whileRunning(access, (found) => {
    opening = open(found);
    return opening;
  });
  const edits = async () => (await opened()).edits;
  return {
    get: (user) => told(async () => (await edits()).get(user)),
    list: (filter = {}) => listed(edits, filter),
    set: (user, given) => told(async () => (await edits()).put(user, given)),
    remove: (user) => told(async () => (await edits()).remove(user)),
    close: async () => {
      const found = await opening?.catch(() => undefined);
      await found?.store.close();
    },
  };
}

async function open({ data, domains }: UserAccess): Promise<Opened> {
  if (data === undefined)
    throw new Error('there are no users here: nobody logs in (auth: none), or nothing is on disk');
  const [{ UserStore }, { userEdits }] = await Promise.all([
    import('../../users/user-store.ts'),
    import('../admin/user-routes.ts'),
  ]);
  const store = UserStore.open(data);
  return { store, edits: userEdits(() => store, domains) };
}

async function* listed(
  edits: () => Promise<Edits>,
  filter: { readonly domain?: string; readonly match?: string },
): AsyncGenerator<ShownUser> {
  yield* (await edits()).list(filter);
}
