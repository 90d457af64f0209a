// The users of a running server: the user store and, where one is configured, the provider beside it. The shards' part
// crosses to their threads as UserTask; the provider is asked here.

import type { TokenTask } from '../../threads/waiting/pending-credentials.ts';
import type { UserStore } from '../../users/user-store.ts';
import type { AuthConfig } from '../config/sections/auth-config.ts';
import { tokenOffer } from '../config/sections/token-config.ts';
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
  /** State of the provider (PROVIDER_* of users/user-lookup) in shared memory; absent without one. */
  readonly providerState?: Int32Array;
  /** Report of the provider so far; undefined without one. */
  readonly provider: ProviderReport | undefined;
  /** The shards' part of access tokens; absent where none are accepted. */
  readonly tokens?: TokenTask;
  /** Report of the tokens' issuer so far; undefined where none are accepted. */
  readonly issuer: ProviderReport | undefined;
  /**
   * Fetches a user for a shard; when it resolves, the shards find the answer in the store. Never rejects.
   * @param token access token whose name is `user`
   */
  ask(user: string, realm: string, token?: string): Promise<AskResult>;
  /** Removed users whose bindings have not been removed yet. */
  readonly removed: RemovedFromStore;
  /** The store, for the other nodes of a cluster. */
  readonly store: UserStore;
  close(): Promise<void>;
}

export interface UsersOptions {
  /** The data directory. */
  readonly data: string;
  readonly auth: AuthConfig;
  /** Credentials of the surrounding program. */
  readonly credentials?: ProgramCredentials | undefined;
  /** The served domains. */
  readonly domains: readonly string[];
  readonly log: Log;
  /** Epoch ms, of the same clock as the shards'. */
  readonly now: () => number;
}

/** Opens the user store, which must exist for the shards' tables, and starts the provider. Throws an Error naming it. */
export async function openUsers(options: UsersOptions): Promise<Users> {
  const { auth, log } = options;
  const store = await openSoundUsers(options.data, log);
  const provider = await providerOf(options, store);
  await provider?.start();
  const tokens = await tokenProvider(options, store);
  await tokens?.start();
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
    store,
    ...(tokens === undefined || auth.tokens === undefined
      ? {}
      : { tokens: { offer: tokenOffer(auth.tokens), state: tokens.state } }),
    get issuer() {
      return tokens?.report;
    },
    ask: (user, realm, token) =>
      (token === undefined ? provider : tokens)?.ask(user, realm, token) ?? Promise.resolve('none'),
    close: async () => {
      await provider?.close();
      await tokens?.close();
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
  // Loaded only where a database is configured: the drivers cost a start time and memory.
  const { sqlSource } = await import('./sql/sql-source.ts');
  return new UserProvider(await sqlSource(sql, sql.limits.timeoutMs), sql.limits, store, log, now);
}

/** Access tokens are asked about like users. */
async function tokenProvider({ auth, domains, log, now }: UsersOptions, store: UserStore) {
  const { tokens } = auth;
  if (tokens === undefined) return undefined;
  const { tokenSource } = await import('./tokens/token-source.ts');
  return new UserProvider(tokenSource(tokens, domains, now), tokens.limits, store, log, now);
}

/** Warns of users with MD5 alone: they prevent other algorithms from being offered. */
function warnOfLackingHa1s(store: UserStore, { policy }: AuthConfig, log: Log): void {
  const bases = ['MD5', 'SHA-256', 'SHA-512-256'];
  for (const algorithm of new Set(policy.algorithms.map((name) => name.replace('-sess', '')))) {
    const users = store.lacking[bases.indexOf(algorithm)];
    if (users > 0) log('warn', 'users have no HA1 for an algorithm, which is not offered then', { algorithm, users });
  }
}
