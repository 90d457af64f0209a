// Authentication where the registrar runs in the caller's own thread: by the users of the data directory, and of its providers. A
// message waits while its user is fetched, and returns once the answer is there.

import { randomBytes } from 'node:crypto';
import type { ShardAuth } from '../../shard/admission.ts';
import type { ProcessClock } from '../../shard/process-clock.ts';
import {
  createWaitingMemory,
  endWaiting,
  PendingCredentials,
  type WaitingMessage,
} from '../../threads/waiting/pending-credentials.ts';
import { UserTable } from '../../users/user-table.ts';
import type { Config } from '../config/config.ts';
import type { DataDirectory } from '../data/data-directory.ts';
import { openLifeNumbers } from '../data/life-numbers.ts';
import type { Log } from '../process/log.ts';
import type { ProgramCredentials } from '../users/program-source.ts';
import { openUsers } from '../users/users.ts';

export interface InlineAuthOptions {
  readonly config: Config;
  readonly credentials: ProgramCredentials | undefined;
  readonly directory: DataDirectory;
  readonly clock: ProcessClock;
  readonly log: Log;
}

export interface InlineAuth {
  readonly shard: ShardAuth;
  /** Sets the function that gets messages whose users are known now. */
  serve(again: (message: WaitingMessage, isUntold: boolean) => void): void;
  close(): Promise<void>;
}

export async function openInlineAuth(options: InlineAuthOptions): Promise<InlineAuth> {
  const { config, directory, clock, log } = options;
  const now = () => clock.now();
  const users = await openUsers({
    data: directory.path,
    auth: config.auth,
    credentials: options.credentials,
    domains: config.policy.domains,
    log,
    now,
  });
  const realms = config.policy.domains;
  const { providerState: state, tokens } = users;
  // A missing user is asked for by the message that waits for it.
  const table = new UserTable({
    data: directory.path,
    realms,
    ...(state && { provider: { state, wanted: () => {} } }),
    ...(tokens && { tokens: { state: tokens.state, wanted: () => {} } }),
  });
  const waiting = createWaitingMemory();
  let again: (message: WaitingMessage, isUntold: boolean) => void = () => {};
  const pending = new PendingCredentials(waiting, (message) => {
    void users.ask(message.user, message.realm, message.token).then((result) => {
      endWaiting(waiting);
      again(message, result === 'unavailable');
    });
  });
  return {
    shard: {
      policy: config.auth.policy,
      realms,
      users: table,
      ...(tokens && { tokens: tokens.offer }),
      nonceStart: randomBytes(4).readUInt32LE() & 0x3fffff,
      generation: config.auth.nonceGeneration,
      life: openLifeNumbers(directory.path, log)(),
      wait: (...args) => pending.enter(...args),
    },
    serve: (to) => {
      again = to;
    },
    close: async () => {
      again = () => {};
      table.close();
      await users.close();
    },
  };
}
