// The thread that moves bindings: opens both sides, moves, closes. The main thread stays free to show progress and to
// handle signals.

import { mkdirSync } from 'node:fs';
import type { MessagePort } from 'node:worker_threads';
import { LogStore } from '../../location/log/log-store.ts';
import { openLogStore } from '../../location/open-log-store.ts';
import { FileLogRecords } from './file-log-records.ts';
import { LmdbRecords } from './lmdb-records.ts';
import { type MoveReport, moveBindings, type RecordSource } from './move-bindings.ts';

/** A shard's store in one of the formats that a data directory can have. */
export interface RecordSourceOptions {
  readonly kind: 'lmdb' | 'files' | 'log';
  readonly directory: string;
}

export interface MoveTask {
  readonly from: readonly RecordSourceOptions[];
  /** Directories of the new shards. */
  readonly to: readonly string[];
  /** Secret of the data directory. */
  readonly secret: Uint8Array;
}

export interface MoveProgress {
  readonly done: number;
  readonly total: number;
}

/** Moves the bindings; its result is on disk. @param task its port gets MoveProgress */
export function runMoveTask({ from, to, secret, port }: MoveTask & { readonly port: MessagePort }): MoveReport {
  const open: { close(): void }[] = [];
  const opened = <T extends { close(): void }>(store: T): T => {
    open.push(store);
    return store;
  };
  try {
    const sources = from.map((options) => opened(openSource(options)));
    const total = sources.reduce((sum, source) => sum + source.aors, 0);
    const tell = (done: number) => port.postMessage({ done, total } satisfies MoveProgress);
    tell(0);
    const targets = to.map((directory) => {
      mkdirSync(directory, { recursive: true, mode: 0o700 });
      return opened(openLogStore(directory, 'process')); // closing them syncs
    });
    const report = moveBindings(sources, targets, secret, tell);
    const stretches = sources.map((source) => (source instanceof LogStore ? source.replayed.damaged.length : 0));
    return { ...report, quarantined: stretches.reduce((sum, count) => sum + count, report.quarantined) };
  } finally {
    for (const store of open) store.close();
  }
}

function openSource({ kind, directory }: RecordSourceOptions): RecordSource & { close(): void } {
  if (kind === 'lmdb') return new LmdbRecords(directory);
  return kind === 'files' ? new FileLogRecords(directory) : openLogStore(directory, 'process');
}
