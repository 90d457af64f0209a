// Syncs the logs of this node's shards to its disk each minute: a batch of a cluster does not wait for that, since the streams have it on
// their disks. Messages that no stream keeps, and no sync has reached, may be in this machine's memory alone.

import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { ShardTable } from '../../cluster/shard-table.ts';
import type { Log } from '../process/log.ts';

const EVERY_MS = 60_000;

export interface LogSyncsOptions {
  readonly table: Pick<ShardTable, 'applied'>;
  /** Directories of the shards' stores. */
  readonly stores: readonly string[];
  /** The first sequence that a shard's stream has; undefined where that is not known. */
  readonly first: (shard: number) => Promise<number | undefined>;
  readonly log: Log;
  readonly everyMs?: number;
}

export class LogSyncs {
  /** By shard: messages that the stream no longer keeps, and that may not be on this disk. */
  readonly unsynced: number[];
  private readonly options: LogSyncsOptions;
  private readonly synced: number[];
  private readonly timer: NodeJS.Timeout;
  private running: Promise<void> | undefined;
  private isFailing = false;

  /** Begins at once: a former life may have left unsynced messages. */
  constructor(options: LogSyncsOptions) {
    this.options = options;
    this.unsynced = options.stores.map(() => 0);
    this.synced = options.stores.map(() => 0);
    this.begin();
    this.timer = setInterval(() => this.begin(), options.everyMs ?? EVERY_MS).unref();
  }

  async close(): Promise<void> {
    clearInterval(this.timer);
    await this.running;
  }

  /** Only one round at a time, for slow disks. */
  private begin(): void {
    this.running ??= this.syncAll().finally(() => {
      this.running = undefined;
    });
  }

  private async syncAll(): Promise<void> {
    const { stores, table, first, log } = this.options;
    let failure: string | undefined;
    for (const [shard, directory] of stores.entries()) {
      const applied = table.applied(shard);
      try {
        await syncFiles(join(directory, 'log'));
        this.synced[shard] = Math.max(0, applied);
      } catch (error) {
        failure ??= String(error);
      }
      const from = await first(shard).catch(() => undefined); // its stream has no leader now
      if (from !== undefined) this.unsynced[shard] = Math.max(0, from - 1 - this.synced[shard]);
    }
    if (failure !== undefined && !this.isFailing) log('warn', 'logs cannot be put on the disk', { error: failure });
    this.isFailing = failure !== undefined;
  }
}

async function syncFiles(directory: string): Promise<void> {
  for (const name of await readdir(directory)) await syncFile(join(directory, name));
  await syncFile(directory);
}

async function syncFile(path: string): Promise<void> {
  let handle: Awaited<ReturnType<typeof open>>;
  try {
    handle = await open(path, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return; // dropped meanwhile
    throw error;
  }
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
