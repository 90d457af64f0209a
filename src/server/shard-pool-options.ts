// Options of the pool of shards, from the configuration and the data directory.

import type { PoolAuth, PoolOptions } from '../threads/pool-options.ts';
import type { Config } from './config/config.ts';
import type { DataDirectory } from './data/data-directory.ts';
import { openFlowNumbers } from './data/flow-numbers.ts';
import { openLifeNumbers } from './data/life-numbers.ts';
import type { Log } from './process/log.ts';
import { withOwnAddresses } from './process/own-names.ts';
import type { Users } from './users/users.ts';

export function poolOptions(config: Config, directory: DataDirectory, log: Log): PoolOptions {
  return {
    shards: directory.bindings.shards,
    listeners: config.listen,
    udp: config.udp,
    streams: config.streams,
    ...(config.tls && { tls: config.tls }),
    ...(config.multicast && { multicast: config.multicast }),
    flowNumbers: openFlowNumbers(directory.path, log),
    dataDir: directory.bindings.path,
    ...(config.sharedLocation && { sharedLocation: directory.path }),
    durability: config.durability,
    checkpointBytes: config.checkpointBytes,
    generationBytes: config.generationBytes,
    policy: withOwnAddresses(config.policy, config.listen),
    secret: directory.secret,
    log,
    gate: { policy: config.abuse, trustedProxies: config.auth.trustedProxies },
  };
}

export function poolAuth(config: Config, data: string, users: Users, log: Log): PoolAuth {
  const { providerState, tokens } = users;
  const { policy, nonceGeneration } = config.auth;
  const nextLife = openLifeNumbers(data, log);
  const known = { ...(providerState && { providerState }), ...(tokens && { tokens }) };
  return { policy, nonceGeneration, nextLife, data, ask: users.ask, ...known };
}
