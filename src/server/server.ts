// A running server: configuration → data directory → shard pool → ready, and back down in order. serve.ts has flags, terminal and signals.

import { createAorKey } from '../core/lookup/aor-key.ts';
import type { BindingListener } from '../shard/observe/binding-events.ts';
import { changeStatic, type StaticContent } from '../shard/statics/static-file.ts';
import { MESSAGE_BYTES_MAX } from '../sip/parser/slab.ts';
import { createPeers, LISTENER_PROGRAM } from '../sip/sources.ts';
import { type Pool, startPool } from '../threads/pool.ts';
import type { FlowCounts } from '../transport/flow/flows.ts';
import { type InheritedSocket, socketsFor } from '../transport/linux/inherited-sockets.ts';
import type { ListenAddress } from '../transport/listener.ts';
import type { MulticastAddress } from '../transport/node/multicast.ts';
import type { AdminServer, AdminTarget } from './admin/admin-server.ts';
import type { Phase } from './admin/health.ts';
import { MessageWatch } from './admin/message-watch.ts';
import type { ClusterNode } from './cluster/cluster-node.ts';
import type { ClusterAway, ClusterParts } from './cluster/meet-cluster.ts';
import type { Config } from './config/config.ts';
import { demandSound } from './config/config-faults.ts';
import { ConfigError } from './config/config-problem.ts';
import { DEFAULT_SHARDS } from './config/defaults.ts';
import { afterReload, type ReloadReport, reloadReport, shardSettings } from './config/reload.ts';
import { hasCluster } from './config/sections/cluster-config.ts';
import { unserved, writeServed } from './config/served-domains.ts';
import { shardDirectories } from './data/binding-folders.ts';
import { setAside } from './data/damaged.ts';
import { type DataDirectory, openDataDirectory } from './data/data-directory.ts';
import { unwritable } from './data/directory-error.ts';
import { moveBindings } from './data/move.ts';
import { keepReserve } from './data/reserve.ts';
import { settleFiles } from './data/settled-files.ts';
import { ofServedDomains } from './data/statics.ts';
import {
  flowSource,
  type MessageSource,
  needFlow,
  noCapacityForFlow,
  readPeer,
  type StreamSource,
  writePeer,
} from './embed/message-source.ts';
import type { BindingAccess } from './embed/program-bindings.ts';
import type { UserAccess } from './embed/program-users.ts';
import type { ChangesOptions, Feed } from './feed/feed.ts';
import type { FeedEntry } from './feed/feed-reader.ts';
import { needFeed, openFeed } from './feed/open-feed.ts';
import { HistoryKeeper } from './history/history-keeper.ts';
import type { Lookup, LookupPreferences, NoLookup } from './lookups/location-lookup.ts';
import { type LookupCounts, LookupService } from './lookups/lookup-service.ts';
import { CertificateWatch } from './process/certificate-watch.ts';
import { ClockKeeper } from './process/clock-keeper.ts';
import { DomainQuotas } from './process/domain-quotas.ts';
import { LimitWatch, systemLimits } from './process/limit-watch.ts';
import type { Log } from './process/log.ts';
import type { Progress } from './process/progress.ts';
import { mebibytes } from './process/size-text.ts';
import { Startup } from './process/startup.ts';
import { openPush } from './push/open-push.ts';
import type { PushReport, PushService } from './push/push-service.ts';
import type { Server, ServerHooks } from './server-api.ts';
import { poolAuth, poolOptions } from './shard-pool-options.ts';
import { RemovedUsers } from './users/removed-users.ts';
import type { ProviderReport } from './users/user-provider.ts';
import type { Users } from './users/users.ts';

/** Domains that a line of the log names. */
const DOMAINS_TOLD = 10;

/**
 * Starts a server and resolves when it answers. A Config is best made from DEFAULT_CONFIG: `startServer({ ...DEFAULT_CONFIG, data: 'bindings',
 * policy: { ...DEFAULT_POLICY, domains: ['example.com'] } })`. `reread` makes the configuration anew for a reload. The log gets each event worth
 * waking for; without one they are dropped. `progress` is told the progress of long work. It installs no signal handlers and prints nothing.
 * Rejects with a ConfigError where the configuration is refused, with a DataDirectoryError where the data cannot be opened, and with the pool's own
 * error where an address cannot be bound.
 */
export async function startServer(
  config: Config,
  log: Log = () => {},
  hooks: ServerHooks = {},
  reread?: () => Config,
  progress: Progress = () => {},
): Promise<Server> {
  demandSound(config);
  const astray = hooks.inherited?.find((socket) => !config.listen.some((address) => isFor(address, socket)));
  if (astray !== undefined)
    throw new ConfigError([
      `LISTEN_FDS: no listener for ${astray.kind} ${astray.host}:${astray.port}: add it to --listen (udp, tcp or tls, with the same address)`,
    ]);
  const met = hasCluster(config)
    ? await (await import('./cluster/meet-cluster.ts')).meetOrWait(config, log)
    : undefined;
  const directory = openedFor(met, config);
  const server = new RunningServer(config, directory, log, hooks, reread, met);
  try {
    await server.start(progress);
  } catch (error) {
    await server.stop().catch(() => {}); // a full disk may make that fail, too: the first error counts
    throw startFault(error, config.data);
  }
  return server;
}

/** A start writes many files: a disk that refuses writes gets the same error, whichever is the first. */
function startFault(error: unknown, data: string): unknown {
  const { code = '' } = error as NodeJS.ErrnoException;
  return ['ENOSPC', 'EDQUOT', 'EROFS'].includes(code) ? unwritable(data, error) : error;
}

/** The result of meeting the cluster: undefined without one. */
type Met = ClusterParts | ClusterAway | undefined;

async function leave(met: Met): Promise<void> {
  if (met !== undefined && 'connection' in met) await met.connection.close();
}

/** Opens the directory; leaves the cluster where that fails. */
function openedFor(met: Met, { data, shards }: Config): DataDirectory {
  try {
    return openDataDirectory(data, { shards: shards ?? DEFAULT_SHARDS, anyShards: shards === undefined });
  } catch (error) {
    void leave(met);
    throw startFault(error, data);
  }
}

class RunningServer implements Server, AdminTarget {
  config: Config;
  cluster: ClusterNode | undefined;
  private readonly met: Met;
  private readonly directory: DataDirectory;
  private readonly log: Log;
  private readonly hooks: ServerHooks;
  private readonly reread: (() => Config) | undefined;
  private readonly program = createPeers(1);
  limits: LimitWatch | undefined;
  private readonly startup = new Startup();
  private draining = false;
  private admin: AdminServer | undefined;
  private userStore: Users | undefined;
  /** Watchers that run while the shards serve. */
  private readonly watches: { close(): void | Promise<void> }[] = [];
  private pool: Pool | undefined;
  private lookups: LookupService | undefined;
  feed: Feed | undefined;
  private push: PushService | undefined;
  private keeper: ClockKeeper | undefined;
  private messageWatch: MessageWatch | undefined;
  history: HistoryKeeper | undefined;
  readonly quotas: DomainQuotas;
  private reloading: Promise<unknown> = Promise.resolve();
  private stopped: Promise<void> | undefined;

  constructor(
    config: Config,
    directory: DataDirectory,
    log: Log,
    hooks: ServerHooks,
    reread: (() => Config) | undefined,
    met: Met,
  ) {
    this.config = config;
    this.met = met;
    this.directory = directory;
    this.log = log;
    this.hooks = hooks;
    this.reread = reread;
    this.quotas = new DomainQuotas(log);
  }

  /** The admin listener is first: it can report that the rest is still starting. */
  async start(shown: Progress): Promise<void> {
    const { config, directory, log, hooks } = this;
    const progress = this.startup.watched(shown);
    const { send, webSocketHandshake } = hooks;
    this.admin = await this.openAdmin();
    settleFiles(directory, log);
    this.keeper = new ClockKeeper({ directory: directory.path, log });
    const { memory, clock } = this.keeper;
    const now = () => clock.now();
    if (directory.move !== undefined) await moveBindings(directory.move, directory.secret, log, progress);
    const { bindings } = directory;
    for (const { folder, files } of setAside(directory.path, shardDirectories(bindings.path, bindings.shards)))
      log('warn', 'damaged bindings were set aside', { folder, files });
    if (config.auth.mode !== 'none')
      this.userStore = await (await import('./users/users.ts')).openUsers({
        ...hooks,
        data: directory.path,
        auth: config.auth,
        domains: config.policy.domains,
        log,
        now,
      });
    this.cluster = await this.joinCluster();
    this.feed = await openFeed(config, directory.path, bindings.shards, log);
    const push = await openPush(config, log);
    this.push = push;
    this.pool = await startPool({
      ...poolOptions({ ...config, policy: this.quotas.share(config.policy) }, directory, log),
      clock: memory,
      ...(this.cluster && { cluster: this.cluster.options }),
      ...(this.feed && { feed: this.feed.optionsOf.bind(this.feed) }),
      ...(push && { wake: (lookup) => push.holdLookup(lookup) }),
      opening: (done, total) => {
        if (total > 0) progress('reading bindings, MiB', mebibytes(done), mebibytes(total));
      },
      webSocket: { policy: config.webSocket, ...(webSocketHandshake && { handshake: webSocketHandshake }) },
      ...(this.userStore && { auth: poolAuth(config, directory.path, this.userStore, log) }),
      ...(hooks.beforeServing && { beforeServing: hooks.beforeServing }),
      ...(hooks.inherited && { inherited: hooks.inherited }),
      ...(send && { toProgram: (answer, peers) => send(answer, readPeer(peers, 0, peers.port[0])) }),
    });
    const { pool, userStore } = this;
    this.history = await HistoryKeeper.open(pool.histories, directory.path, config.historyDiskBytes, log);
    await this.cluster?.serve({
      data: directory.path,
      users: userStore?.store,
      stores: this.stores,
      readers: this.pool.openReaders(),
      renew: (shard) => this.pool?.renew(shard),
    });
    await this.feed?.start();
    if (userStore !== undefined)
      this.watches.push(new RemovedUsers(userStore.removed, (request, source) => pool.order(request, source), log));
    this.lookups = await LookupService.open(this.pool, directory, config, log, { lagMs: this.cluster?.lagMs, push });
    const isOurs = (shard: number) => this.cluster?.isOwner(shard) ?? true;
    push?.start({ readers: pool.openReaders(), flows: pool.flows, now, isOurs });
    const aorKey = createAorKey(directory.secret);
    this.messageWatch = new MessageWatch(this.pool.tap, this.pool.listeners, config.hep, aorKey, log);
    const connections = () => [this.connections.open, this.config.streams.connectionsMax] as const;
    directory.watch(log);
    this.limits = new LimitWatch(systemLimits(directory.path, connections), log);
    this.watches.push(new CertificateWatch(() => this.config, log));
    this.quotas.start(pool.openReaders(), now);
    this.startup.isOver = true;
    keepReserve(directory.path);
    this.tellServed();
  }

  /** Writes the served domains for commands, and logs users of other domains. */
  private tellServed(): void {
    const { domains } = this.config.policy;
    writeServed(this.directory.path, domains);
    const missing = unserved(this.userStore?.realms() ?? [], domains);
    if (missing.length > 0)
      this.log('warn', 'users of domains that are not served', {
        domains: missing.slice(0, DOMAINS_TOLD),
        count: missing.length,
      });
  }

  get phase(): Phase {
    if (this.draining || this.stopped !== undefined) return 'draining';
    return this.startup.isOver ? 'ready' : 'starting';
  }

  get starting(): string {
    return this.startup.text;
  }

  get data(): string {
    return this.directory.path;
  }

  get dataIsGone(): boolean {
    return this.directory.isGone;
  }

  get secret(): Uint8Array {
    return this.directory.secret;
  }

  get stores(): readonly string[] {
    const { path, shards } = this.directory.bindings;
    return shardDirectories(path, shards);
  }

  get shardPool(): Pool | undefined {
    return this.startup.isOver ? this.pool : undefined;
  }

  get users(): number {
    return this.userStore?.count ?? 0;
  }

  get provider(): ProviderReport | undefined {
    return this.userStore?.provider;
  }

  get issuer(): ProviderReport | undefined {
    return this.userStore?.issuer;
  }

  get lookupCounts(): Readonly<LookupCounts> {
    return this.lookups?.counts ?? { found: 0, nobody: 0, refused: 0 };
  }

  get clockJumpS(): number {
    return this.keeper?.jumpS ?? 0;
  }

  get pushes(): PushReport | undefined {
    return this.push?.report;
  }

  get adminUrl(): string | undefined {
    return this.admin?.url;
  }

  get listen(): readonly ListenAddress[] {
    return started(this.pool).listeners;
  }

  get multicast(): MulticastAddress | undefined {
    return started(this.pool).multicast;
  }

  get udp(): 'native' | 'dgram' {
    return started(this.pool).udp;
  }

  get watch(): MessageWatch {
    return started(this.messageWatch);
  }

  get restarts(): number {
    return started(this.pool).restarts;
  }

  get connections(): Readonly<FlowCounts> {
    return started(this.pool).connections;
  }

  get lookupHttp(): Server['lookupHttp'] {
    return started(this.lookups).listen;
  }

  counters(): readonly Float64Array[] {
    return started(this.pool).counters();
  }

  subscribe(listener: BindingListener): () => void {
    return started(this.pool).events.subscribe(listener);
  }

  get userAccess(): UserAccess {
    const data = this.config.auth.mode === 'none' ? undefined : this.directory.path;
    return { data, domains: () => this.config.policy.domains };
  }

  get bindingAccess(): BindingAccess {
    const pool = started(this.pool);
    return {
      readers: () => pool.openReaders(),
      secret: this.secret,
      now: () => pool.clock.now(),
      flows: pool.flows,
      order: (request, source) => pool.order(request, source),
    };
  }

  changes(options?: ChangesOptions): AsyncIterableIterator<FeedEntry> {
    return needFeed(this.feed).changes(options);
  }

  lookup(aor: string, preferences?: LookupPreferences): Lookup | NoLookup {
    return started(this.lookups).lookup(aor, preferences);
  }

  async wake(aor: string, preferences?: LookupPreferences): Promise<Lookup | NoLookup> {
    await started(this.lookups).wake(aor);
    return this.lookup(aor, preferences);
  }

  changeStatic(change: (content: StaticContent) => StaticContent): void {
    changeStatic(this.directory.path, ofServedDomains(change, this.config.policy.domains));
  }

  handle(bytes: Uint8Array, source: MessageSource): void {
    if (bytes.length > MESSAGE_BYTES_MAX) throw new RangeError(`${bytes.length} bytes are no SIP message`);
    const { program } = started(this.pool);
    needFlow(source, (flow) => program.hasFlow(flow));
    writePeer(this.program, 0, source, LISTENER_PROGRAM);
    program.hand(bytes, this.program);
  }

  openFlow(source: StreamSource): number {
    return started(this.pool).program.openFlow(flowSource(source, LISTENER_PROGRAM)) || noCapacityForFlow();
  }

  endFlow(flow: number): void {
    this.pool?.program.endFlow(flow);
  }

  reload(): Promise<ReloadReport | undefined> {
    const done = this.reloading.then(() => this.reloadNow());
    this.reloading = done.catch(() => {});
    return done;
  }

  /** One reload at a time. All faults of the configuration are found before anything changes. */
  private async reloadNow(): Promise<ReloadReport | undefined> {
    const pool = started(this.pool);
    const before = this.config;
    const next = this.reread?.();
    const tokens = [...(this.admin?.reloadToken() ?? []), ...(this.lookups?.reloadTokens() ?? [])];
    if (next !== undefined) {
      const now = afterReload(before, next);
      await pool.configure(shardSettings({ ...now, policy: this.quotas.share(now.policy) }), now.streams);
      this.lookups?.configure(now.policy);
      this.log.setLevel?.(now.logLevel);
      this.config = now;
      this.tellServed();
    }
    pool.reload();
    this.admin?.reloadTls();
    if (next === undefined) return undefined;
    const changes = reloadReport(before, this.config, next);
    const report = { ...changes, applied: [...changes.applied, ...new Set(tokens)] };
    this.log(report.needRestart.length > 0 ? 'warn' : 'info', 'reloaded', { ...report });
    return report;
  }

  drain(): void {
    this.draining = true;
  }

  stop(): Promise<void> {
    this.stopped ??= this.shutDown();
    return this.stopped;
  }

  private async shutDown(): Promise<void> {
    try {
      await this.cluster?.handOver();
      this.push?.close();
      await this.lookups?.close();
      for (const watch of this.watches) await watch.close();
      await this.pool?.stop();
      await this.history?.close();
      await (this.cluster?.close() ?? leave(this.met)); // before the users that it shares
      await this.feed?.close();
      this.limits?.close();
      this.quotas.close();
      this.messageWatch?.close();
      await this.userStore?.close();
      await this.admin?.close();
      this.keeper?.close();
    } finally {
      this.directory.close();
    }
  }

  private async joinCluster(): Promise<ClusterNode | undefined> {
    const { met, config, directory, log } = this;
    if (met === undefined || !hasCluster(config)) return undefined;
    const { ClusterNode } = await import('./cluster/cluster-node.ts');
    return ClusterNode.open(met, config, directory, log);
  }

  /** The listener's code is loaded only where there is one. */
  private async openAdmin(): Promise<AdminServer | undefined> {
    if (this.config.admin === undefined) return undefined;
    const { openAdmin } = await import('./admin/admin-server.ts');
    return openAdmin(this.config.admin, this, this.log);
  }
}

/** WebSocket listeners bind their address themselves. */
function isFor(address: ListenAddress, socket: InheritedSocket): boolean {
  return address.transport !== 'ws' && address.transport !== 'wss' && socketsFor([socket], address).length > 0;
}

/** A part that exists once the server has started. */
function started<T>(part: T | undefined): T {
  if (part === undefined) throw new Error('the server has not started');
  return part;
}
