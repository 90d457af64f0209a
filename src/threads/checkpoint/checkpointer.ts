// When a shard's checkpoint is due, and its writing at a pace that leaves the shard's own commits alone (decisions/0045).
// Runs in the helper thread; files are location/checkpoint/checkpoint's, copies location/table/table-copier's.

import { setTimeout as delay } from 'node:timers/promises';
import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import { type CheckpointPlace, CheckpointWriter } from '../../location/checkpoint/checkpoint.ts';
import { checkpointFiles } from '../../location/checkpoint/checkpoint-files.ts';
import { GENERATION_BYTES } from '../../location/log/generation/generation-size.ts';
import { syncLog } from '../../location/log/log-files.ts';
import { LogPositions, NO_CHECKPOINT } from '../../location/log/log-positions.ts';
import type { TableNews, TableParts } from '../../location/table/binding-table.ts';
import { SUB_TABLES } from '../../location/table/key-index.ts';
import { TableCopier } from '../../location/table/table-copier.ts';
import type { ScrubSubject } from './scrubber.ts';

/** A checkpoint is due when the log has grown by this share of the last checkpoint, and by at least `grownBytes`. */
const DUE_SHARE = 0.25;
/** Bytes per second, at most. */
const PACE = 200e6;
/** Pause after a checkpoint that failed. */
const RETRY_MS = 30_000;

/** A shard's part in its checkpoints, given when it has opened its store. */
export interface CheckpointSource {
  readonly directory: string;
  readonly parts: TableParts;
  /** Memory of the LogPositions. */
  readonly marks: SharedArrayBuffer;
  /** Bytes of the checkpoint that the start read, 0 where there was none. */
  readonly bytes: number;
  /** Port that TableNews arrive at. */
  readonly port: MessagePort;
}

/** A checkpointer's surroundings beside shared memory. */
export interface CheckpointSurroundings {
  readonly place: CheckpointPlace;
  /** The oldest announcement of the table not taken yet, if there is one; never waits. */
  next(): TableNews | undefined;
  /** Syncs the log's frames from one address to another to disk. Throws the disk's error. */
  syncLog(from: number, to: number): void;
  sleep(ms: number): Promise<void>;
  close(): void;
}

export interface CheckpointReport {
  readonly bytes: number;
  readonly seconds: number;
}

/** Surroundings in a helper thread. */
export function surroundingsOf({ directory, port }: CheckpointSource): CheckpointSurroundings {
  return {
    place: checkpointFiles(directory),
    next: () => receiveMessageOnPort(port)?.message as TableNews | undefined,
    syncLog: (from, to) => syncLog(directory, from, to),
    sleep: (ms) => delay(ms),
    close: () => port.close(),
  };
}

export class Checkpointer {
  private readonly around: CheckpointSurroundings;
  private readonly marks: LogPositions;
  private readonly copier: TableCopier;
  private readonly grownBytes: number;
  private bytes: number;
  private notBefore = 0;
  private closed = false;

  /** @param grownBytes least growth of the log between two checkpoints */
  constructor(
    { parts, marks, bytes }: Pick<CheckpointSource, 'parts' | 'marks' | 'bytes'>,
    grownBytes: number,
    around: CheckpointSurroundings,
  ) {
    this.around = around;
    this.grownBytes = grownBytes;
    this.marks = new LogPositions(marks);
    this.bytes = bytes;
    this.copier = new TableCopier(parts, () => around.next());
  }

  /** Whether a checkpoint is due. @param now ms of any monotonic clock */
  isDue(now: number): boolean {
    if (this.closed || now < this.notBefore) return false;
    return this.marks.grown >= Math.max(this.grownBytes, this.bytes * DUE_SHARE);
  }

  /** Writes a checkpoint. Throws the reason when it cannot; the next try is due a while later. */
  async write(): Promise<CheckpointReport> {
    const began = performance.now();
    const { marks, around } = this;
    const before = marks.checkpointed;
    const end = marks.end(); // first: every row copied later is at least as new
    if (before === NO_CHECKPOINT) marks.checkpointed = end.last; // the generations needed with it must not be dropped meanwhile
    let writer: CheckpointWriter | undefined;
    try {
      writer = new CheckpointWriter(around.place);
      await this.copyInto(writer, began);
      // Without `durable` no other thread syncs the log. The checkpoint before has seen to what it names.
      const copiedTo = marks.head;
      around.syncLog(before === NO_CHECKPOINT ? marks.tail : before, copiedTo);
      writer.finish(end, copiedTo);
    } catch (error) {
      this.notBefore = performance.now() + RETRY_MS;
      writer?.abandon();
      marks.checkpointed = before;
      if ((error as NodeJS.ErrnoException).code === 'ENOSPC') this.freeDisk();
      throw error;
    }
    marks.checkpointed = end.last;
    this.bytes = writer.bytes;
    return { bytes: writer.bytes, seconds: (performance.now() - began) / 1000 };
  }

  /** The log and the table as they are now, for the scrubber. @param directory of the shard */
  scrubSubject(directory: string, suspects: Int32Array): ScrubSubject {
    const { copier, marks } = this;
    return {
      directory,
      suspects,
      newest: () => Math.floor(marks.last / GENERATION_BYTES),
      chunkCount: () => copier.chunkCount,
      rows: (chunk) => copier.rows(chunk),
      ended: () => this.closed,
    };
  }

  /** The shard's life is over. */
  close(): void {
    this.closed = true;
    this.around.close();
  }

  private async copyInto(writer: CheckpointWriter, began: number): Promise<void> {
    const { copier } = this;
    const pace = async () => {
      if (this.closed) throw new Error('its shard has ended');
      const ahead = (writer.bytes / PACE) * 1000 - (performance.now() - began);
      if (ahead > 1) await this.around.sleep(ahead);
    };
    for (let sub = 0; sub < SUB_TABLES; sub++) {
      const { words, used } = copier.subTable(sub);
      writer.subTable(sub, words, used);
      await pace();
    }
    // After the index: each row that it names lies in a chunk known by now.
    for (let chunk = 0; chunk < copier.chunkCount; chunk++) {
      writer.rows(Uint32Array.from(copier.rows(chunk))); // a copy: the checksum must be that of the bytes written
      await pace();
    }
  }

  /** The disk is full: the log may drop all generations that only the checkpoint needs. */
  private freeDisk(): void {
    this.around.place.remove();
    this.marks.checkpointed = NO_CHECKPOINT;
    this.bytes = 0;
  }
}
