// The report of a shard's thread once its store is open: its numbers, its damage, and the table for readers in other threads.

import { MessageChannel, type MessagePort } from 'node:worker_threads';
import type { LocationStore } from '../location/location-store.ts';
import { LogStore } from '../location/log/log-store.ts';
import type { TableParts } from '../location/table/binding-table.ts';
import type { ShardTask, Tell } from './shard-messages.ts';

/** The table as it is now, and a port for its news, for one reader. */
function shareTable(store: LogStore): { parts: TableParts; port: MessagePort } {
  const { port1, port2 } = new MessageChannel();
  return { parts: store.share((news) => port1.postMessage(news)), port: port2 };
}

/** Reports the store's numbers, and its table for readers in the main thread. */
export function tellOpen(task: ShardTask, store: LocationStore, tell: Tell): void {
  const { aors, bindings, quarantined } = store;
  const report = { aors, bindings, quarantined };
  if (!(store instanceof LogStore) || task.store.kind !== 'log') return tell({ type: 'open', report });
  if (store.checkpoint.problem !== undefined) {
    const fields = { shard: task.index, problem: store.checkpoint.problem };
    tell({ type: 'log', level: 'error', event: 'checkpoint unusable, the whole log was read', fields });
  }
  tellProblems(task.index, store, tell);
  const { directory } = task.store;
  const table = { directory, ...shareTable(store) };
  const checkpoint = {
    directory,
    ...shareTable(store),
    marks: store.marks.memory,
    bytes: store.checkpoint.bytes,
  };
  const shared = task.changes && { directory, ...shareTable(store) };
  const ports = [table.port, checkpoint.port, ...(shared ? [shared.port] : [])];
  tell({ type: 'open', report, table, checkpoint, ...(shared && { shared }) }, ports);
}

/** Reports damage found at the start: the losses, and where the rest is. */
function tellProblems(shard: number, { log, replayed }: LogStore, tell: Tell): void {
  const error = (event: string, fields: Record<string, unknown>) =>
    tell({ type: 'log', level: 'error', event, fields: { shard, ...fields } });
  for (const file of log.problems.aside) error('file of no use in the log, set aside', { file });
  for (const file of log.problems.unfinished)
    tell({ type: 'log', level: 'info', event: 'log file that was being made, removed', fields: { shard, file } });
  for (const number of log.problems.missing)
    error('log file missing, its bindings are lost', { file: log.fileAt(number * log.generationBytes) });
  if (replayed.endedAt !== null) {
    const { place } = replayed.endedAt;
    const fields = { shard, file: log.fileAt(place), at: place % log.generationBytes };
    tell({ type: 'log', level: 'warn', event: 'damaged log, what comes behind is taken from the stream', fields });
  }
  for (const { place, bytes } of replayed.damaged)
    error('damaged log, set aside', { file: log.fileAt(place), at: place % log.generationBytes, bytes });
}
