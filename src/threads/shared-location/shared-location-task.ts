// The helper thread that keeps the read model of all shards. shared-location-writer does the work; this file has its waiting and its stop.

import { type MessagePort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { LogFiles } from '../../location/log/log-files.ts';
import { LogReader } from '../../location/log/log-reader.ts';
import type { AboutLocation } from '../../location/shared/about-location.ts';
import { ChangedKeysReader } from '../../location/shared/changed-keys.ts';
import { BEAT_MS, SharedLocationWriter } from '../../location/shared/shared-location-writer.ts';
import type { TableNews, TableParts } from '../../location/table/binding-table.ts';
import { Bell, FlagWait, ORDER_STOP } from '../../shard/rings/bell.ts';

/** Changes gather for so long after a wake before they are written. */
const GATHER_MS = 2;
/** Pause after an error. */
const RETRY_MS = 5000;

/** A shard's part in the read model, given when it has opened its store. */
export interface SharedLocationSource {
  readonly directory: string;
  readonly parts: TableParts;
  readonly changes: SharedArrayBuffer;
  /** Port that TableNews arrive at. */
  readonly port: MessagePort;
}

/** An order to the helper. */
export type SharedLocationOrder =
  | { readonly type: 'opened'; readonly shard: number; readonly source: SharedLocationSource }
  | { readonly type: 'ended'; readonly shard: number }
  | { readonly type: 'configure'; readonly about: AboutLocation };

export interface SharedLocationSettings {
  readonly data: string;
  readonly shards: number;
  readonly about: AboutLocation;
  readonly bell: SharedArrayBuffer;
  readonly orders: MessagePort;
}

/** News from the helper. */
export interface SharedLocationNews {
  readonly problem: string;
}

function run({ data, shards, about, bell: memory, orders }: SharedLocationSettings): void {
  const writer = new SharedLocationWriter(data, shards, about);
  const bell = new Bell(memory, () => {});
  const sleeper = new FlagWait(memory);
  const pause = new Int32Array(new SharedArrayBuffer(4));
  for (;;) {
    const stopping = bell.order === ORDER_STOP; // first: changes told before it are written below
    try {
      handleOrders(orders, writer);
      if (writer.step(performance.now()) && !(stopping && writer.idle)) continue;
    } catch (error) {
      writer.reset();
      const problem = error instanceof Error ? error.message : String(error);
      orders.postMessage({ problem } satisfies SharedLocationNews);
      if (!stopping) Atomics.wait(pause, 0, 0, RETRY_MS);
    }
    if (stopping) break;
    bell.beforeSleep();
    if (writer.idle && bell.order !== ORDER_STOP) sleeper.wait(BEAT_MS);
    bell.afterSleep();
    Atomics.wait(pause, 0, 0, GATHER_MS);
  }
  writer.close();
  orders.close();
}

function handleOrders(orders: MessagePort, writer: SharedLocationWriter): void {
  for (let next = receiveMessageOnPort(orders); next !== undefined; next = receiveMessageOnPort(orders)) {
    const order = next.message as SharedLocationOrder;
    if (order.type === 'ended') writer.ended(order.shard);
    else if (order.type === 'configure') writer.configure(order.about);
    else {
      const { directory, parts, changes, port } = order.source;
      const news = () => receiveMessageOnPort(port)?.message as TableNews | undefined;
      const reader = new LogReader(new LogFiles(directory), parts, news);
      writer.opened(order.shard, { reader, changes: new ChangedKeysReader(changes) });
    }
  }
}

if (workerData !== null) run(workerData as SharedLocationSettings);
