// Changes of the data directory's users by a program: the user store with the checks of the admin API, loaded on first use.

import type { UserStore } from '../../users/user-store.ts';
import type { NewUser, ShownUser } from '../admin/user-routes.ts';
import { told, whileRunning } from './program-bindings.ts';

export type { NewUser, ShownUser };

/**
 * Users who authenticate with digest. A name is `alice@example.com`; an invalid one, or one of a domain not served, is a RangeError.
 */
export interface ProgramUsers {
  get(user: string): Promise<ShownUser | undefined>;
  /** Users in the order of their names. */
  list(filter?: { readonly domain?: string; readonly match?: string }): AsyncIterable<ShownUser>;
  /** Adds a user, or changes its password (or HA1s), AORs or rules. In force with the next request. */
  set(user: string, given: NewUser): Promise<void>;
  /** False where there was none. With threads its bindings are removed within a second or two. */
  remove(user: string): Promise<boolean>;
}

export interface UserAccess {
  /** The data directory; undefined without one, or where clients do not authenticate. */
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
