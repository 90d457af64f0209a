// The main thread's part of the read model: starts its helper thread, tells it of the shards' lives, and logs failures.

import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import { givesGruus, type Policy } from '../../core/uas/policy.ts';
import { type AboutLocation, SHARED_FORMAT } from '../../location/shared/about-location.ts';
import { createChangedKeys } from '../../location/shared/changed-keys.ts';
import { Bell, createBellMemory, flagWake, ORDER_STOP } from '../../shard/rings/bell.ts';
import type { ShardLog } from '../../shard/shard-options.ts';
import type { PoolOptions } from '../pool-options.ts';
import { taskFile } from '../tasks/task-file.ts';
import type {
  SharedLocationNews,
  SharedLocationOrder,
  SharedLocationSettings,
  SharedLocationSource,
} from './shared-location-task.ts';

/** Memory by which a shard reports its changes. */
export interface ChangedKeysMemory {
  readonly keys: SharedArrayBuffer;
  readonly bell: SharedArrayBuffer;
}

export interface SharedLocationsOptions {
  /** The data directory. */
  readonly data: string;
  readonly shards: number;
  readonly secret: Uint8Array;
  readonly policy: Policy;
  readonly log: ShardLog;
}

/** The read model, where the options ask for one. */
export function openSharedLocations({ sharedLocation: data, ...options }: PoolOptions): SharedLocations | undefined {
  return data === undefined ? undefined : new SharedLocations({ ...options, data });
}

export class SharedLocations {
  private readonly options: SharedLocationsOptions;
  private readonly bellMemory = createBellMemory();
  private readonly bell = new Bell(this.bellMemory, flagWake(this.bellMemory));
  private readonly keys: readonly SharedArrayBuffer[];
  private readonly orders: MessagePort;
  private readonly worker: Worker;
  private readonly exited: Promise<void>;

  constructor(options: SharedLocationsOptions) {
    this.options = options;
    const { data, shards, policy, log } = options;
    this.keys = Array.from({ length: shards }, () => createChangedKeys());
    const { port1, port2 } = new MessageChannel();
    this.orders = port1;
    port1.on('message', ({ problem }: SharedLocationNews) =>
      log('error', 'read model cannot be written, it is made anew', { error: problem }),
    );
    port1.unref();
    const settings: SharedLocationSettings = {
      data,
      shards,
      about: this.about(policy),
      bell: this.bellMemory,
      orders: port2,
    };
    this.worker = new Worker(taskFile('shared-location-task'), { workerData: settings, transferList: [port2] });
    this.worker.on('error', (error) =>
      log('error', 'read model thread died: other processes read what was registered until now', {
        error: error.message,
      }),
    );
    this.exited = new Promise((resolve) => this.worker.once('exit', () => resolve()));
    this.worker.unref();
  }

  memoryOf(shard: number): ChangedKeysMemory {
    return { keys: this.keys[shard], bell: this.bellMemory };
  }

  /** A life of a shard begins; the one before is over. */
  opened(shard: number, source: Omit<SharedLocationSource, 'changes'>): void {
    this.order({ type: 'opened', shard, source: { ...source, changes: this.keys[shard] } }, [source.port]);
  }

  /** A shard died; its next life follows. */
  ended(shard: number): void {
    this.order({ type: 'ended', shard });
  }

  configure(policy: Policy): void {
    this.order({ type: 'configure', about: this.about(policy) });
  }

  /** Resolves when all changes until now are written. */
  async close(): Promise<void> {
    this.worker.ref(); // else a program that only awaits this would end here, with the rest of its stop undone
    this.bell.give(ORDER_STOP);
    await this.exited;
    this.orders.close();
  }

  private order(order: SharedLocationOrder, transfer: readonly MessagePort[] = []): void {
    this.orders.postMessage(order, transfer);
    this.bell.ring();
  }

  private about(policy: Policy): AboutLocation {
    const { gruuGeneration, domains, bulkNumbers } = policy;
    const gruu = givesGruus(policy) ? 'on' : 'off';
    const secret = Buffer.from(this.options.secret).toString('base64');
    return { format: SHARED_FORMAT, secret, gruu, gruuGeneration, domains, bulkNumbers };
  }
}
