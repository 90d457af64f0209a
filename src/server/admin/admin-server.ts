// The admin listener of a running server: health, metrics, API and dashboard on one address. The files beside this one have the answers of each.

import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { dormantMsOf } from '../../core/uas/push-policy.ts';
import type { ShardReading } from '../../shard/observe/shard-reading.ts';
import { TRANSPORT_NAMES } from '../../sip/sources.ts';
import type { Pool } from '../../threads/pool.ts';
import { UserStore } from '../../users/user-store.ts';
import type { ClusterNode } from '../cluster/cluster-node.ts';
import type { Config } from '../config/config.ts';
import { ConfigError } from '../config/config-problem.ts';
import { httpUrl } from '../config/http-address.ts';
import { isLoopback } from '../config/listener-text.ts';
import type { ReloadReport } from '../config/reload.ts';
import type { AdminConfig } from '../config/sections/admin-config.ts';
import type { Feed } from '../feed/feed.ts';
import type { HistoryKeeper } from '../history/history-keeper.ts';
import { HttpToken, listenerAccess } from '../http/http-access.ts';
import { HttpServer } from '../http/http-server.ts';
import { type HttpRequest, HttpSurface } from '../http/http-surface.ts';
import { openApi } from '../http/openapi.ts';
import { Problem } from '../http/problem.ts';
import { Routes } from '../http/route.ts';
import { LOOKUP_ROUTES } from '../lookups/lookup-routes.ts';
import type { LookupCounts } from '../lookups/lookup-service.ts';
import { Census } from '../metrics/census.ts';
import { Certificates } from '../metrics/certificates.ts';
import { METRICS_TYPE, metricsText } from '../metrics/metrics.ts';
import { ProcessMeters } from '../metrics/process-meters.ts';
import { ShardLoad } from '../metrics/shard-load.ts';
import { Timeline } from '../metrics/timeline.ts';
import type { DomainQuotas } from '../process/domain-quotas.ts';
import type { LimitWatch } from '../process/limit-watch.ts';
import type { Log } from '../process/log.ts';
import { packageVersion } from '../process/package-version.ts';
import type { PushReport } from '../push/push-service.ts';
import type { ProviderReport } from '../users/user-provider.ts';
import { addAbuseRoutes } from './abuse/abuse-routes.ts';
import { DIRECTORY_HEADER, directoryId, removeUrl, TOKEN_FILE, writeUrl } from './admin-files.ts';
import { EventJournal } from './event-journal.ts';
import { addEventRoutes } from './event-routes.ts';
import { addFeedRoute } from './feed/feed-route.ts';
import { Health, type Phase } from './health.ts';
import { addHistoryRoutes } from './history-routes.ts';
import { LocationOrders } from './location-orders.ts';
import { addLocationRoutes } from './location-routes.ts';
import { Locations } from './locations.ts';
import type { MessageWatch } from './message-watch.ts';
import { addPages } from './pages.ts';
import { addServerRoutes } from './server-routes.ts';
import { addStaticRoutes } from './static-routes.ts';
import { addTimelineRoute } from './timeline-routes.ts';
import { addTraceRoutes } from './trace-routes.ts';
import { addUserRoutes } from './user-routes.ts';

/** Unit of `stat`'s block counts. */
const BLOCK_BYTES = 512;

/** The server as the admin listener sees it. */
export interface AdminTarget {
  readonly config: Config;
  /** The data directory, and its secret of 32 bytes. */
  readonly data: string;
  readonly secret: Uint8Array;
  /** Whether another directory has its path, or none. */
  readonly dataIsGone: boolean;
  /** Directories of the shards' stores. */
  readonly stores: readonly string[];
  readonly phase: Phase;
  /** The current step of the start, as text. */
  readonly starting: string;
  /** Undefined during the start. */
  readonly shardPool: Pool | undefined;
  readonly users: number;
  readonly lookupCounts: Readonly<LookupCounts>;
  /** Report of the user provider beside the user store; undefined without one. */
  readonly provider: ProviderReport | undefined;
  /** Report of the provider that verifies access tokens; undefined where none are accepted. */
  readonly issuer: ProviderReport | undefined;
  /** As ClockKeeper.jumpS. */
  readonly clockJumpS: number;
  /** Report of wakes by push; undefined where no push service is used. */
  readonly pushes: PushReport | undefined;
  /** The feed of binding changes; undefined where none is kept. */
  readonly feed: Pick<Feed, 'reports' | 'newest'> | undefined;
  /** Undefined during the start. */
  readonly history: HistoryKeeper | undefined;
  readonly limits: LimitWatch | undefined;
  /** Undefined unless the server is a started node of a cluster. */
  readonly cluster: ClusterNode | undefined;
  readonly quotas: Pick<DomainQuotas, 'usage'>;
  /** Available once the server has started. */
  readonly watch: MessageWatch;
  /** Reads the configuration again; undefined where the server was not started from one that can be. */
  reload(): Promise<ReloadReport | undefined>;
}

export interface AdminServer {
  readonly url: string;
  /** Reads the certificate's files again. */
  reloadTls(): void;
  /** Reads the token's file again; returns its name if the token has changed. Throws the system's error. */
  reloadToken(): readonly string[];
  close(): Promise<void>;
}

/** Listens, also while the shards still start. Rejects where the address cannot be bound or a certificate cannot be read. */
export async function openAdmin(config: AdminConfig, target: AdminTarget, log: Log): Promise<AdminServer> {
  const made = new HttpToken(target.data, TOKEN_FILE, () => log('info', 'token changed', { file: TOKEN_FILE }));
  const token = config.requireToken ? made : undefined;
  const access = listenerAccess(config.listen, token, true);
  const surface = new HttpSurface({ access, log });
  const http = new HttpServer({ address: config.listen, surface, log, ...(config.tls && { tls: config.tls }) });
  if (config.listen.scheme === 'http' && !isLoopback(config.listen.host))
    log('warn', 'admin listener without TLS: the token crosses the network in the clear', {
      admin: httpUrl(config.listen),
    });
  const parts = target.config.cluster && {
    ...(await import('./cluster-routes.ts')),
    ...(await import('../metrics/cluster-metrics.ts')),
  };
  const admin = new RunningAdmin(surface, http, target, log, token, parts);
  try {
    admin.url = httpUrl(await http.listen());
    writeUrl(target.data, admin.url);
    return admin;
  } catch (error) {
    await admin.close();
    throw error;
  }
}

class RunningAdmin implements AdminServer {
  url = '';
  private readonly surface: HttpSurface;
  private readonly http: HttpServer;
  private readonly target: AdminTarget;
  private readonly token: HttpToken | undefined;
  private readonly cluster: ClusterAdmin | undefined;
  private readonly meters = new ProcessMeters();
  private readonly certificates = new Certificates();
  private readonly health: Health;
  private readonly journal: EventJournal;
  private readonly orders = new LocationOrders((request, source) => this.pool().order(request, source));
  private readonly load = new ShardLoad(() => this.readings());
  private readonly timeline: Timeline;
  private readonly census = new Census(() => this.openLocations());
  private locations: Locations | undefined;
  private userStore: UserStore | undefined;

  /** @param token undefined: no token is required @param cluster the modules that only nodes of clusters load */
  constructor(
    surface: HttpSurface,
    http: HttpServer,
    target: AdminTarget,
    log: Log,
    token: HttpToken | undefined,
    cluster?: ClusterAdmin,
  ) {
    this.token = token;
    this.surface = surface;
    this.http = http;
    this.target = target;
    this.cluster = cluster;
    this.health = new Health(
      () => target.phase,
      () => this.readings(),
      () => target.limits?.reached ?? [],
      (error) => log('error', 'health cannot be looked at', { error: error.message }),
      () => [
        ...(target.dataIsGone ? ['the data directory was removed or replaced'] : []),
        ...(target.cluster?.problems() ?? []),
      ],
    );
    this.timeline = new Timeline(
      {
        readings: () => this.readings(),
        connections: () => target.shardPool?.connections.open ?? 0,
        lookups: () => target.lookupCounts.found + target.lookupCounts.nobody,
      },
      (error) => log('error', 'figures cannot be looked at', { error: error.message }),
    );
    this.journal = new EventJournal((listener) => this.pool().events.subscribe(listener));
    this.addHealth();
    this.addApi();
    addPages(surface);
  }

  reloadTls(): void {
    this.http.reloadTls();
  }

  reloadToken(): readonly string[] {
    return this.token?.reload() ? [this.token.name] : [];
  }

  async close(): Promise<void> {
    this.health.close();
    this.timeline.close();
    this.meters.close();
    removeUrl(this.target.data);
    await this.http.close();
    this.journal.stop();
    this.locations?.close();
    await this.userStore?.close();
  }

  private pool(): Pool {
    return this.started(this.target.shardPool);
  }

  private started<T>(part: T | undefined): T {
    if (part === undefined) throw new Problem(503, 'starting', this.target.starting);
    return part;
  }

  private readings(): readonly ShardReading[] {
    return this.target.shardPool?.readings() ?? [];
  }

  private openLocations(): Locations {
    const { clock, flows } = this.pool();
    this.locations ??= new Locations({
      readers: this.pool().openReaders(),
      secret: this.target.secret,
      now: () => clock.now(),
      flows,
      rest: (ms) => this.load.rest(ms),
      dormantMs: () => dormantMsOf(this.target.config.policy.push),
    });
    return this.locations;
  }

  private openUserStore(): UserStore {
    if (this.target.config.auth.mode === 'none')
      throw new Problem(
        409,
        'no_authentication',
        'this server asks nobody who they are (auth: none), so there are no users',
      );
    this.userStore ??= UserStore.open(this.target.data);
    return this.userStore;
  }

  private addHealth(): void {
    const { surface, health } = this;
    surface.route('GET', '/healthz', () => ({ body: { status: 'ok' } }), 'health');
    surface.route(
      'GET',
      '/readyz',
      () => {
        const problems = health.problems();
        return problems.length === 0
          ? { body: { status: 'ready' } }
          : { status: 503, body: { status: 'not ready', problems } };
      },
      'health',
    );
    surface.route('GET', '/metrics', async () => ({ type: METRICS_TYPE, body: await this.metrics() }));
  }

  private async metrics(): Promise<string> {
    const { target, meters, health } = this;
    const readings = this.readings();
    const problems = health.problems();
    const source = {
      version: packageVersion(),
      ready: problems.length === 0,
      draining: problems.includes('draining'),
      restarts: target.shardPool?.restarts ?? 0,
      users: target.users,
      ...(target.shardPool && { flows: target.shardPool.connections, census: this.census.latest('scrape') }),
      limits: target.limits?.usage ?? [],
      quotas: target.quotas.usage,
      droppedConnections: this.http.droppedConnections,
      historyLostBytes: target.history?.lostBytes ?? 0,
      readings,
      lookups: target.lookupCounts,
      provider: target.provider,
      issuer: target.issuer,
      deliveries: target.feed?.reports ?? [],
      pushes: target.pushes,
      clockJumpS: target.clockJumpS,
      certificates: this.certificates.read(target.config),
      storeBytes: await storeBytes(target.stores.slice(0, readings.length)),
    };
    const reading = target.cluster?.reading();
    return metricsText(source, meters, (out) => reading && this.cluster?.clusterMetrics(out, reading));
  }

  private addApi(): void {
    const { target, health, journal } = this;
    const routes = new Routes(this.surface, forDirectory(target.data));
    const locations = () => this.openLocations();
    addServerRoutes(routes, {
      config: () => target.config,
      health,
      census: this.census,
      readings: () => this.readings(),
      counts: () => this.pool().readings(),
      listen: () => target.shardPool?.listeners ?? [],
      restarts: () => target.shardPool?.restarts ?? 0,
      users: () => target.users,
      topSenders: (max) => this.pool().topSenders(max),
      limits: () => target.limits?.usage ?? [],
      connections: () => connectionsBy(target.shardPool?.connections.openBy ?? []),
      quotas: () => target.quotas.usage,
      reload: async () => {
        this.pool();
        const report = await reloaded(target);
        if (report !== undefined) return report;
        throw new Problem(
          409,
          'no_config_file',
          'there is no configuration file to read (only certificates and tokens were read anew): restart the server with other flags',
        );
      },
    });
    addTimelineRoute(routes, this.timeline);
    addLocationRoutes(routes, { locations, orders: () => this.orders });
    addEventRoutes(routes, journal, locations);
    addHistoryRoutes(routes, locations, () => this.started(target.history));
    addFeedRoute(routes, () => target.feed);
    const domains = () => target.config.policy.domains;
    addUserRoutes(routes, () => this.openUserStore(), domains);
    addStaticRoutes(routes, target.data, domains);
    addAbuseRoutes(routes, () => this.pool());
    addTraceRoutes(routes, () => {
      this.pool();
      return target.watch;
    });
    this.cluster?.addClusterRoutes(routes, {
      node: () => this.started(target.cluster),
      announce: (draining) => {
        health.drained = draining;
      },
    });
    const document = openApi(routes.all, LOOKUP_ROUTES, packageVersion());
    this.surface.route('GET', '/openapi.json', () => ({ body: document }), 'open');
  }
}

type ClusterAdmin = typeof import('./cluster-routes.ts') & typeof import('../metrics/cluster-metrics.ts');

/** Connections of each transport that has them. */
function connectionsBy(open: readonly number[]): Record<string, number> {
  return Object.fromEntries(TRANSPORT_NAMES.map((name, i) => [name, open[i] ?? 0]).slice(1));
}

/** A command that names a data directory must not reach the server of another one, such as the original of a copy. */
function forDirectory(data: string): (request: HttpRequest) => void {
  const own = directoryId(data);
  return ({ headers }) => {
    const wanted = headers[DIRECTORY_HEADER];
    if (wanted !== undefined && wanted !== own)
      throw new Problem(421, 'another_directory', `this server holds ${data}`);
  };
}

async function reloaded(target: AdminTarget): Promise<ReloadReport | undefined> {
  try {
    return await target.reload();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const errors = error.problems.map((message) => ({ path: 'configuration', message }));
    throw new Problem(422, 'bad_configuration', `nothing was changed: ${error.message}`, errors);
  }
}

/** Bytes that each shard's store has on disk, over all its files. */
async function storeBytes(directories: readonly string[]): Promise<number[]> {
  return Promise.all(
    directories.map(async (directory) => {
      const entries = await readdir(directory, { recursive: true, withFileTypes: true }).catch(() => []);
      const sizes = entries.map((entry) =>
        entry.isFile()
          ? stat(join(entry.parentPath, entry.name))
              .then(({ blocks }) => blocks * BLOCK_BYTES)
              .catch(() => 0)
          : 0,
      );
      return (await Promise.all(sizes)).reduce<number>((sum, size) => sum + size, 0);
    }),
  );
}
