// Moves the bindings of a data directory: into another number of shards, or out of an older format. Until the move is
// complete the old stores count; a process that dies meanwhile leaves them as they were, and the next start begins the move
// again.

import type { RecordSourceOptions } from '../../threads/move/move-task.ts';
import { moveStores } from '../../threads/move/mover.ts';
import type { Log } from '../process/log.ts';
import type { Progress } from '../process/progress.ts';
import { shardDirectories } from './binding-folders.ts';
import type { Bindings, PendingMove } from './data-directory.ts';
import { DataDirectoryError } from './directory-error.ts';
import { DATA_FORMAT } from './directory-meta.ts';

/** Kinds by format of the data directory, from 1 on. */
const KINDS: readonly RecordSourceOptions['kind'][] = ['lmdb', 'files', 'log'];

/** @throws DataDirectoryError naming both sides, when it fails */
export async function moveBindings(move: PendingMove, secret: Uint8Array, log: Log, progress: Progress): Promise<void> {
  const { from, to } = move;
  const what = from.shards === to.shards ? 'moving bindings to the new format' : `moving bindings to ${count(to)}`;
  log('info', 'moving bindings', { from_shards: from.shards, to_shards: to.shards, from_format: from.format });
  const began = performance.now();
  try {
    const task = { from: sources(from), to: targets(to), secret };
    const report = await moveStores(task, ({ done, total }) => progress(what, done, total));
    move.complete();
    log(report.quarantined > 0 ? 'warn' : 'info', 'bindings moved', {
      ...report,
      seconds: Math.round((performance.now() - began) / 1000),
    });
  } catch (error) {
    if (error instanceof DataDirectoryError) throw error;
    move.abandon();
    const reason = error instanceof Error ? error.message : String(error);
    throw new DataDirectoryError(
      'move',
      `cannot move the bindings in ${from.path} from ${count(from)} to ${count(to)} (${reason}): nothing has changed; ` +
        `free space for a second copy of them${from.format === DATA_FORMAT ? `, or start with --shards ${from.shards}` : ''}`,
      error,
    );
  }
}

function count({ shards }: Bindings): string {
  return shards === 1 ? '1 shard' : `${shards} shards`;
}

function sources({ path, shards, format }: Bindings): RecordSourceOptions[] {
  const kind = KINDS[format - 1] ?? 'log';
  return shardDirectories(path, shards).map((directory) => ({ kind, directory }));
}

function targets({ path, shards }: Bindings): string[] {
  return shardDirectories(path, shards);
}
