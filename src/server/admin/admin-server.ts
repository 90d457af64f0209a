// The admin listener of a running server: health, metrics, API and dashboard behind one door. What each says is in the files
// beside this one.

import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { ShardReading } from '../../shard/pool.ts';
import type { AdminConfig } from '../admin-config.ts';
import { openToken, removeUrl, writeUrl } from '../admin-files.ts';
import { httpUrl } from '../http-address.ts';
import { createHttpServer } from '../http-server.ts';
import type { Log } from '../log.ts';
import { packageVersion } from '../package-version.ts';
import { Health, type Phase } from './health.ts';
import { METRICS_TYPE, metricsText } from './metrics.ts';
import { ProcessMeters } from './process-meters.ts';

/** The server as the admin listener sees it. */
export interface AdminTarget {
  /** The data directory. */
  readonly data: string;
  readonly phase: Phase;
  /** Empty while starting. */
  readings(): readonly ShardReading[];
  readonly restarts: number;
  readonly users: number;
}

export interface AdminServer {
  readonly url: string;
  close(): Promise<void>;
}

/** Listens, also while the shards still start. Rejects where the address cannot be had or a certificate cannot be read. */
export async function openAdmin(config: AdminConfig, target: AdminTarget, log: Log): Promise<AdminServer> {
  const token = openToken(target.data);
  const server = createHttpServer({
    address: config.listen,
    log,
    ...(config.requireToken && { token }),
    ...(config.tls && { tls: config.tls }),
  });
  if (config.requireToken && config.listen.scheme === 'http' && config.listen.host !== '127.0.0.1')
    log('warn', 'admin listener without TLS: the token crosses the network in the clear', {
      admin: httpUrl(config.listen),
    });
  const meters = new ProcessMeters();
  const health = new Health(
    () => target.phase,
    () => target.readings(),
  );
  const { app } = server;
  app.get('/healthz', { config: { open: true } }, async () => ({ status: 'ok' }));
  app.get('/readyz', { config: { open: true } }, async (_request, reply) => {
    const problems = health.problems();
    if (problems.length > 0) reply.code(503);
    return problems.length > 0 ? { status: 'not ready', problems } : { status: 'ready' };
  });
  app.get('/metrics', async (_request, reply) => {
    const readings = target.readings();
    const text = metricsText(
      {
        version: packageVersion(),
        ready: health.problems().length === 0,
        restarts: target.restarts,
        users: target.users,
        readings,
        storeBytes: await storeBytes(target.data, readings.length),
      },
      meters,
    );
    return reply.type(METRICS_TYPE).send(text);
  });
  const close = async () => {
    health.close();
    meters.close();
    removeUrl(target.data);
    await server.close();
  };
  try {
    const url = await server.listen();
    writeUrl(target.data, url);
    return { url, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Bytes that each shard's store has on disk. */
async function storeBytes(data: string, shards: number): Promise<number[]> {
  return Promise.all(
    Array.from({ length: shards }, async (_, shard) => {
      const directory = join(data, `shard-${shard}`);
      const names = await readdir(directory).catch(() => []);
      const sizes = names.map((name) =>
        stat(join(directory, name))
          .then(({ blocks }) => blocks * 512)
          .catch(() => 0),
      );
      return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
    }),
  );
}
