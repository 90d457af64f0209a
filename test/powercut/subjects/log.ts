// The location store: a churn of records, refreshes and removals, with checkpoints written beside it where asked for.

import { closeSync, fsyncSync, openSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { MessageChannel, receiveMessageOnPort } from 'node:worker_threads';
import { checkpointIn } from '../../../src/location/checkpoint/checkpoint.ts';
import { checkpointFiles } from '../../../src/location/checkpoint/checkpoint-files.ts';
import { LmdbLog } from '../../../src/location/log/lmdb-log.ts';
import type { Durability } from '../../../src/location/log/log.ts';
import { LogStore } from '../../../src/location/log/log-store.ts';
import { WriteSet } from '../../../src/location/write-set.ts';
import { Checkpointer, surroundingsOf } from '../../../src/threads/checkpoint/checkpointer.ts';
import { apply, type ChurnOptions, churnBatch, contentOf, contentOfState, type State } from '../../crash/churn.ts';
import type { Content, Run, Subject } from '../subject.ts';

const CHECKPOINT_EVERY = 7;

/** Of a seed: few AORs with large records, or many with small ones. */
function churnOf(seed: number): ChurnOptions {
  const [aors, batch, bytes] = [
    [20, 8, 3000],
    [300, 30, 200],
    [60, 20, 600],
  ][seed % 3];
  return { seed, aors, batch, bytes };
}

interface LogOptions {
  readonly durability: Durability;
  readonly checkpoints?: boolean;
  /** Small ones are cleaned and dropped within a recording. */
  readonly generationBytes?: number;
}

export class LogRun implements Run {
  protected readonly store: LogStore;
  private readonly writes = new WriteSet();
  private readonly churn: ChurnOptions;
  private readonly directory: string;
  private readonly checkpoints: boolean;
  private channel: MessageChannel | undefined;

  constructor(directory: string, seed: number, { durability, checkpoints, generationBytes }: LogOptions) {
    this.directory = `${directory}/shard-0`;
    this.churn = churnOf(seed);
    this.checkpoints = checkpoints === true;
    const log = new LmdbLog(this.directory, durability, generationBytes);
    this.store = new LogStore(log, checkpointIn(checkpointFiles(this.directory)));
    const { checkpoint, replayed } = this.store;
    if (checkpoint.problem !== undefined) throw new Error(`a checkpoint that does not count: ${checkpoint.problem}`);
    const { aside, missing } = log.problems;
    if (durability === 'durable' && aside.length + missing.length + replayed.damaged.length > 0)
      throw new Error(`damage where there is none: ${JSON.stringify({ aside, missing, damaged: replayed.damaged })}`);
  }

  async step(n: number): Promise<void> {
    const isDue = this.checkpoints && n % CHECKPOINT_EVERY === CHECKPOINT_EVERY - 1 && this.store.marks.head > 0;
    const written = isDue ? this.checkpoint() : undefined;
    churnBatch(this.store, this.writes, this.churn, n);
    this.store.commit(this.writes, n + 1);
    await written;
  }

  content(): Content {
    return contentOf(this.store);
  }

  close(): void {
    this.channel?.port1.close();
    this.store.close();
  }

  /** The commit of its step comes while it is written. */
  private async checkpoint(): Promise<void> {
    const { store, directory } = this;
    this.channel?.port1.close();
    this.channel = new MessageChannel();
    const { port1, port2 } = this.channel;
    const parts = store.share((news) => port1.postMessage(news));
    const source = { directory, parts, marks: store.marks.memory, bytes: 0, port: port2 };
    const checkpointer = new Checkpointer(source, 0, {
      ...surroundingsOf(source),
      sleep: () => Promise.resolve(),
      syncLog: () => syncFiles(join(directory, 'log')), // whatever the size of a generation
    });
    await checkpointer.write();
    while (receiveMessageOnPort(port2) !== undefined);
    checkpointer.close();
  }
}

export function expectedContent(seed: number, steps: number): Content {
  const state: State = new Map();
  for (let n = 0; n < steps; n++) apply(state, churnOf(seed), n);
  return contentOfState(state);
}

function syncFiles(folder: string): void {
  for (const name of readdirSync(folder)) {
    const fd = openSync(join(folder, name), 'r');
    fsyncSync(fd);
    closeSync(fd);
  }
}

function subjectOf(name: string, options: LogOptions): Subject {
  return {
    name,
    steps: 60,
    open: (directory, seed) => new LogRun(directory, seed, options),
    expected: expectedContent,
  };
}

export const DURABLE_LOG = subjectOf('log', { durability: 'durable' });
export const GENERATIONS = subjectOf('generations', { durability: 'durable', generationBytes: 128 << 10 });
export const CHECKPOINTED_LOG = subjectOf('checkpoint', {
  durability: 'durable',
  checkpoints: true,
  generationBytes: 256 << 10,
});

function recordOf(text: string): string {
  return text.split(' until ')[0];
}

/** Nothing is promised of what was acknowledged: it starts, and what is there is what once was there. */
export const PROCESS_LOG: Subject = {
  ...subjectOf('log-process', { durability: 'process', generationBytes: 256 << 10 }),
  check(found, { seed, acknowledged }) {
    // Records alone: a refresh may have outlived the record or the removal before it.
    const ever = new Set<string>();
    for (let steps = 0; steps <= acknowledged + 1; steps++)
      for (const [key, text] of expectedContent(seed, steps)) ever.add(`${key} ${recordOf(text)}`);
    for (const [key, text] of found)
      if (!ever.has(`${key} ${recordOf(text)}`)) return `${key}: ${text}, which never was`;
    return undefined;
  },
};
