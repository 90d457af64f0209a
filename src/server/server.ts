// A running server: configuration → data directory → shard pool → ready, and back down in order.
// No flags, no terminal, no signals: those are serve.ts.

import { createPeers, LISTENER_PROGRAM } from '../registrar/peers.ts';
import { createAorKey } from '../shard/aor-key.ts';
import type { BindingListener } from '../shard/binding-events.ts';
import { type Pool, type PoolAuth, type PoolOptions, startPool } from '../shard/pool.ts';
import { changeStatic, type StaticContent } from '../shard/static-file.ts';
import { MESSAGE_BYTES_MAX } from '../sip/slab.ts';
import type { ListenAddress } from '../transport/listen-address.ts';
import { type Config, ConfigError, DEFAULT_SHARDS, refusals } from './config.ts';
import { type DataDirectory, openDataDirectory } from './data-directory.ts';
import { openFlowNumbers } from './flow-numbers.ts';
import { hostPort } from './listen-address.ts';
import type { Lookup, NoLookup } from './location-lookup.ts';
import type { Log } from './log.ts';
import type { HttpAddress } from './lookup-config.ts';
import { LookupService } from './lookup-service.ts';
import { type MessageSource, readPeer, type SendAnswer, writePeer } from './message-source.ts';
import { MessageWatch } from './message-watch.ts';
import { openUsers, type Users } from './users.ts';

export interface Server {
  /** Where it listens; a port given as 0 is the real one here. */
  readonly listen: readonly ListenAddress[];
  /** How UDP is moved: `native` batches in the shards, or `dgram` on the main thread. */
  readonly udp: 'native' | 'dgram';
  /** One array per shard, by COUNTER of shard/counters. */
  counters(): readonly Float64Array[];
  /** Shards that died and were started again. */
  readonly restarts: number;
  /** Users in the user store; 0 where nobody authenticates. */
  readonly users: number;
  /** What operators trace while it runs. */
  readonly watch: MessageWatch;
  /** Tells `listener` of every change of a binding from now on, once it is committed; the function returned ends that. */
  subscribe(listener: BindingListener): () => void;
  /** Where lookups are answered by HTTP. */
  readonly lookupHttp: readonly HttpAddress[];
  /** Where a user is now. @param aor user@host or a SIP URI. */
  lookup(aor: string): Lookup | NoLookup;
  /** Takes a message that the program received itself; its answer goes to the program's `send`. */
  handle(bytes: Uint8Array, source: MessageSource): void;
  /** Changes static bindings and aliases: see statics.ts for the changes there are. */
  changeStatic(change: (content: StaticContent) => StaticContent): void;
  /** Stops receiving, finishes what was received, closes the store. */
  stop(): Promise<void>;
}

/**
 * Starts a server and resolves when it answers. A Config is best made from DEFAULT_CONFIG:
 * `startServer({ ...DEFAULT_CONFIG, data: 'bindings', policy: { ...DEFAULT_POLICY, domains: ['example.com'] } })`.
 * The log gets each event worth waking for; without one they go nowhere. It installs no signal handlers and prints nothing. Rejects with a ConfigError where the configuration is refused, with a
 * DataDirectoryError where the data cannot be opened, and with the pool's own error where an address cannot be had.
 */
export async function startServer(config: Config, log: Log = () => {}, send?: SendAnswer): Promise<Server> {
  const problems = refusals(config);
  if (problems.length > 0) throw new ConfigError(problems);
  const directory = openDataDirectory(config.data, {
    shards: config.shards ?? DEFAULT_SHARDS,
    anyShards: config.shards === undefined,
  });
  let users: Users | undefined;
  let pool: Pool | undefined;
  let lookups: LookupService;
  try {
    if (config.auth.mode === 'digest') users = await openUsers(directory.path, config.auth, log);
    pool = await startPool({
      ...poolOptions(config, directory, log),
      ...(users && { auth: poolAuth(config, directory.path, users) }),
      ...(send && { toProgram: (answer, peers) => send(answer, readPeer(peers, 0, peers.port[0])) }),
    });
    lookups = await LookupService.open(pool, directory, config);
  } catch (error) {
    await pool?.stop();
    await users?.close();
    directory.close();
    throw error;
  }
  const aorKey = createAorKey(directory.secret);
  const program = createPeers(1);
  const watch = new MessageWatch(pool.tap, pool.listeners, config.hep, aorKey, log);
  const takeDown = async (): Promise<void> => {
    try {
      await lookups.close();
      await pool.stop();
      watch.close();
      await users?.close();
    } finally {
      directory.close();
    }
  };
  let stopped: Promise<void> | undefined;
  return {
    listen: pool.listeners,
    udp: pool.udp,
    watch,
    subscribe: (listener) => pool.events.subscribe(listener),
    lookupHttp: lookups.listen,
    lookup: (aor) => lookups.lookup(aor),
    changeStatic: (change) => changeStatic(directory.path, change),
    handle: (bytes, source) => {
      if (bytes.length > MESSAGE_BYTES_MAX) throw new RangeError(`${bytes.length} bytes are no SIP message`);
      writePeer(program, 0, source, LISTENER_PROGRAM);
      pool.hand(bytes, program);
    },
    counters: () => pool.counters(),
    get restarts() {
      return pool.restarts;
    },
    get users() {
      return users?.count ?? 0;
    },
    stop: () => {
      stopped ??= takeDown();
      return stopped;
    },
  };
}

function poolOptions(config: Config, directory: DataDirectory, log: Log): PoolOptions {
  return {
    shards: directory.shards,
    listeners: config.listen,
    udp: config.udp,
    streams: config.streams,
    flowNumbers: openFlowNumbers(directory.path),
    dataDir: directory.path,
    durability: config.durability,
    policy: config.policy,
    secret: directory.secret,
    log,
    gate: { policy: config.abuse, trustedProxies: config.auth.trustedProxies },
  };
}

function poolAuth(config: Config, data: string, users: Users): PoolAuth {
  const { providerState } = users;
  const { policy, nonceGeneration } = config.auth;
  return { policy, nonceGeneration, data, ask: users.ask, ...(providerState && { providerState }) };
}

/** What a person needs to know to register a first phone, in one line. @param users there are, where clients authenticate */
export function firstPhone(config: Config, listen: readonly ListenAddress[], users: number): string {
  const address = listen[0];
  const host = address.host.includes(':') ? `[${address.host}]` : address.host;
  const domain = config.policy.domains.find((name) => name !== '*') ?? host;
  const anywhere = address.host === '0.0.0.0' || address.host === '::';
  const registrar = anywhere ? `this machine's address, port ${address.port},` : hostPort(address);
  const where = `at registrar ${registrar} over UDP`;
  if (config.auth.mode === 'none') return `register sip:alice@${domain} (any user) ${where}, no password`;
  if (users > 0 || config.auth.provider !== undefined) return `register a user with its password ${where}`;
  return `no one can register yet: add a user with "aorta user add alice@${domain} --data ${config.data}", then register it ${where}`;
}
