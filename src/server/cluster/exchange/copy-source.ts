// Gives a copy of a shard's store to another node while the shard runs: its files as of one moment, at a pace that spares the disk.

import { read } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { closeFiles, openShardFiles } from '../../data/shard-files.ts';
import { ClusterError } from '../cluster-error.ts';
import { listOf } from './copy-format.ts';
import type { WritePiece } from './exchange-server.ts';

const PIECE_BYTES = 1 << 20;
/** Pace of one copy: the node has other work. */
const BYTES_PER_MS_MAX = 200_000;

const readPiece = promisify(read);

/** @param directory of the shard's store. Throws a ClusterError where it changes too fast */
export async function giveCopy(directory: string, write: WritePiece): Promise<void> {
  const opened = openShardFiles(directory);
  if (opened === undefined) throw new ClusterError(`${directory} changes too fast to be copied: try again`);
  try {
    const { files, end } = opened;
    await write(listOf(end === undefined ? files : [...files, end]));
    const from = performance.now();
    let given = 0;
    for (const { fd, length } of files)
      for (let at = 0; at < length; ) {
        const piece = Buffer.alloc(Math.min(PIECE_BYTES, length - at)); // zeros where a file has become shorter
        await readPiece(fd, piece, 0, piece.length, at);
        await write(piece);
        at += piece.length;
        given += piece.length;
        const early = given / BYTES_PER_MS_MAX - (performance.now() - from);
        if (early >= 1) await delay(early);
      }
    if (end !== undefined) await write(end.bytes());
  } finally {
    closeFiles(opened);
  }
}
