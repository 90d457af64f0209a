// A checkpoint of a store, without the helper thread that writes those of a server.

import { CheckpointWriter } from '../../src/location/checkpoint/checkpoint.ts';
import { checkpointFiles } from '../../src/location/checkpoint/checkpoint-files.ts';
import type { LogStore } from '../../src/location/log/log-store.ts';
import { SUB_TABLES } from '../../src/location/table/key-index.ts';
import { TableCopier } from '../../src/location/table/table-copier.ts';

/** @param directory of the shard @param end of the log when its rows began to be copied */
export function writeCheckpoint(store: LogStore, directory: string, end = store.marks.end()): void {
  const copier = new TableCopier(
    store.share(() => {}),
    () => undefined,
  );
  const writer = new CheckpointWriter(checkpointFiles(directory));
  for (let sub = 0; sub < SUB_TABLES; sub++) {
    const { words, used } = copier.subTable(sub);
    writer.subTable(sub, words, used);
  }
  for (let chunk = 0; chunk < copier.chunkCount; chunk++) writer.rows(Uint32Array.from(copier.rows(chunk)));
  writer.finish(end, store.marks.head);
}
