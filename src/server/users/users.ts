// The users of a running server: the user store and, where one is configured, the provider beside it. What the shards
// need of them crosses to their threads as UserTask; asking the provider stays here.

import type { UserStore } from '../../users/user-store.ts';
import type { AuthConfig } from '../config/sections/auth-config.ts';
import type { Log } from '../process/log.ts';
import { httpSource } from './http-source.ts';
import { type ProgramCredentials, programSource } from './program-source.ts';
import type { RemovedFromStore } from './removed-users.ts';
import { type AskResult, type ProviderReport, UserProvider } from './user-provider.ts';
import { openSoundUsers } from './user-salvage.ts';
import { logDamagedUser } from './users-log.ts';

export interface Users {
  /** Users in the store. */
  readonly count: number;
  /** Realms of users in the store. */
  realms(): string[];
  /** State of the provider (PROVIDER_* of users/user-lookup) in shared memory; absent where there is none. */
  readonly providerState?: Int32Array;
  /** What the provider said so far; undefined where there is none. */
  readonly provider: ProviderReport | undefined;
  /** Fetches a user that a shard wants; when it resolves, the shards find the answer in the store. Never rejects. */
  ask(user: string, realm: string): Promise<AskResult>;
  /** Users that were removed and whose bindings are still to go. */
  readonly removed: RemovedFromStore;
  close(): Promise<void>;
}

export interface UsersOptions {
  /** The data directory. */
  readonly data: string;
  readonly auth: AuthConfig;
  /** Of the program around. */
  readonly credentials?: ProgramCredentials | undefined;
  readonly log: Log;
  /** Epoch ms, as shards have it. */
  readonly now: () => number;
}

/** Opens the user store, which the shards' tables need to be there, and starts the provider. Throws an Error naming it. */
export async function openUsers(options: UsersOptions): Promise<Users> {
  const { auth, log } = options;
  const store = await openSoundUsers(options.data, log);
  const provider = await providerOf(options, store);
  await provider?.start();
  const examining = store
    .examine((user) => logDamagedUser(log, user))
    .catch((error: unknown) => log('error', 'users cannot be looked through', { error: String(error) }));
  warnOfLackingHa1s(store, auth, log);
  return {
    get count() {
      return store.count;
    },
    realms: () => store.realms(),
    ...(provider === undefined ? {} : { providerState: provider.state }),
    get provider() {
      return provider?.report;
    },
    removed: store,
    ask: (user, realm) => provider?.ask(user, realm) ?? Promise.resolve('none'),
    close: async () => {
      await provider?.close();
      store.stopExamining();
      await examining;
      await store.close();
    },
  };
}

async function providerOf(options: UsersOptions, store: UserStore): Promise<UserProvider | undefined> {
  const { auth, credentials, log, now } = options;
  const { http, sql } = auth.provider ?? {};
  if (credentials !== undefined)
    return new UserProvider(programSource(credentials), credentials.limits, store, log, now);
  if (http !== undefined) return new UserProvider(httpSource(http), http.limits, store, log, now);
  if (sql === undefined) return undefined;
  // Loaded where a database is configured alone: the drivers cost a start time and memory.
  const { sqlSource } = await import('./sql/sql-source.ts');
  return new UserProvider(await sqlSource(sql, sql.limits.timeoutMs), sql.limits, store, log, now);
}

/** Users that came with MD5 alone keep the others from being offered. */
function warnOfLackingHa1s(store: UserStore, { policy }: AuthConfig, log: Log): void {
  const bases = ['MD5', 'SHA-256', 'SHA-512-256'];
  for (const algorithm of new Set(policy.algorithms.map((name) => name.replace('-sess', '')))) {
    const users = store.lacking[bases.indexOf(algorithm)];
    if (users > 0) log('warn', 'users have no HA1 for an algorithm, which is not offered then', { algorithm, users });
  }
}
