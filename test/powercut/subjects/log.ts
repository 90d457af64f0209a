// The location store: a churn of records, refreshes and removals, with checkpoints written beside it where asked for.

import { MessageChannel, receiveMessageOnPort } from 'node:worker_threads';
import { checkpointIn } from '../../../src/location/checkpoint/checkpoint.ts';
import { checkpointFiles } from '../../../src/location/checkpoint/checkpoint-files.ts';
import { LmdbLog } from '../../../src/location/log/lmdb-log.ts';
import type { Durability } from '../../../src/location/log/log.ts';
import { syncLog } from '../../../src/location/log/log-files.ts';
import { LogStore } from '../../../src/location/log/log-store.ts';
import { WriteSet } from '../../../src/location/write-set.ts';
import { Checkpointer, surroundingsOf } from '../../../src/threads/checkpoint/checkpointer.ts';
import {
  apply,
  applyPlain,
  type ChurnOptions,
  churnBatch,
  contentOf,
  contentOfState,
  putPlain,
  type State,
} from '../../crash/churn.ts';
import { keyWords } from '../../location/store-records.ts';
import { followBatch } from '../../support/follow-batch.ts';
import { type Content, firstDifference, type Run, type Subject } from '../subject.ts';

const CHECKPOINT_EVERY = 7;
/** Of all lives of a recording. */
const STEPS_MAX = 200;

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
  /** A stream has all steps, as in a cluster. */
  readonly followed?: boolean;
}

/** Of a checkpoint whose rows may be newer than a log that has lost its end. */
const SHORT = 'the log is damaged behind its end';

/** As a log in a cluster: nothing is dropped before all is on disk. */
class FollowedLog extends LmdbLog {
  override dropTail(): void {
    this.sync();
    super.dropTail(true);
  }
}

export class LogRun implements Run {
  protected readonly store: LogStore;
  private readonly writes = new WriteSet();
  private readonly churn: ChurnOptions;
  private readonly directory: string;
  private readonly checkpoints: boolean;
  private channel: MessageChannel | undefined;

  constructor(directory: string, seed: number, options: LogOptions) {
    const { durability, checkpoints, generationBytes, followed = false } = options;
    this.directory = `${directory}/shard-0`;
    this.churn = churnOf(seed);
    this.checkpoints = checkpoints === true;
    const log = new (followed ? FollowedLog : LmdbLog)(this.directory, durability, generationBytes);
    this.store = new LogStore(log, checkpointIn(checkpointFiles(this.directory)), { endsAtDamage: followed });
    const { checkpoint, replayed } = this.store;
    if (checkpoint.problem !== undefined && !(followed && checkpoint.problem.endsWith(SHORT)))
      throw new Error(`a checkpoint that does not count: ${checkpoint.problem}`);
    const { aside, missing } = log.problems;
    if (durability === 'durable' && aside.length + missing.length + replayed.damaged.length > 0)
      throw new Error(`damage where there is none: ${JSON.stringify({ aside, missing, damaged: replayed.damaged })}`);
  }

  async step(n: number): Promise<void> {
    const isDue = this.checkpoints && n % CHECKPOINT_EVERY === CHECKPOINT_EVERY - 1 && this.store.marks.head > 0;
    const written = isDue ? this.checkpoint() : undefined;
    churnBatch(this.store, this.writes, this.churn, n);
    this.commit(this.writes, n + 1);
    await written;
  }

  protected commit(writes: WriteSet, now: number): void {
    this.store.commit(writes, now);
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
      syncLog: (from, to) => syncLog(directory, from, to, store.log.generationBytes),
    });
    await checkpointer.write();
    while (receiveMessageOnPort(port2) !== undefined);
    checkpointer.close();
  }
}

/** AORs that each step registers beside the churn and that expire in the next one: a commit each, which its own batch makes last. */
const EXPIRING = 3;
const EXPIRING_BYTES = 100;

function expiringOf(seed: number, n: number): readonly number[] {
  return Array.from({ length: EXPIRING }, (_, i) => churnOf(seed).aors + n * EXPIRING + i);
}

class ExpiringRun extends LogRun {
  private readonly seed: number;
  private readonly batch = new WriteSet();

  constructor(directory: string, seed: number) {
    super(directory, seed, { durability: 'durable', generationBytes: 256 << 10 });
    this.seed = seed;
  }

  override async step(n: number): Promise<void> {
    const { seed, store, batch } = this;
    for (const aor of n > 0 ? expiringOf(seed, n - 1) : []) {
      const [k0, k1, k2, k3] = keyWords(aor);
      batch.clear();
      batch.put(k0, k1, k2, k3, 0);
      store.commit(batch, n + 1, false);
    }
    churnBatch(store, batch, churnOf(seed), n);
    for (const aor of expiringOf(seed, n)) putPlain(batch, aor, n, EXPIRING_BYTES);
    store.commit(batch, n + 1);
  }
}

/** With what the last two steps registered, whether it has expired or not. */
function expiringContent(seed: number, steps: number): Map<string, string> {
  const state: State = new Map();
  for (let n = 0; n < steps; n++) {
    apply(state, churnOf(seed), n);
    for (const aor of n >= steps - 2 ? expiringOf(seed, n) : []) applyPlain(state, aor, n);
  }
  return contentOfState(state);
}

/** Makes the steps again that a cut of power took, as a stream brings them. */
class FollowedRun extends LogRun {
  private next: number;

  constructor(directory: string, seed: number, options: LogOptions) {
    super(directory, seed, { ...options, followed: true });
    const { replayed, log } = this.store;
    if (replayed.lacksMoved || replayed.damaged.length + log.problems.missing.length > 0)
      throw new Error(`it does not end at the damage: ${JSON.stringify([replayed, log.problems])}`);
    this.next = prefixOf(this.content(), seed, STEPS_MAX) ?? 0;
  }

  override async step(n: number): Promise<void> {
    while (this.next <= n) await super.step(this.next++);
  }

  protected override commit(writes: WriteSet, now: number): void {
    followBatch(this.store, writes, now);
  }
}

/** After how many steps, at most, a log had this content. */
function prefixOf(content: Content, seed: number, most: number): number | undefined {
  const state: State = new Map();
  for (let steps = 0; steps <= most; apply(state, churnOf(seed), steps++)) {
    const expected = contentOfState(state);
    if (expected.size === content.size && [...expected].every(([key, text]) => content.get(key) === text)) return steps;
  }
  return undefined;
}

export function expectedContent(seed: number, steps: number): Content {
  const state: State = new Map();
  for (let n = 0; n < steps; n++) apply(state, churnOf(seed), n);
  return contentOfState(state);
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

/** Nothing is promised of what was acknowledged, since a stream has it: what is there is what was there after some step. */
export const FOLLOWED_LOG: Subject = {
  name: 'log-followed',
  steps: 60,
  open: (directory, seed) =>
    new FollowedRun(directory, seed, { durability: 'process', checkpoints: true, generationBytes: 128 << 10 }),
  expected: expectedContent,
  check: (found, { seed, acknowledged, most = acknowledged + 1 }) =>
    prefixOf(found, seed, most) === undefined
      ? `after ${acknowledged} steps ${found.size} AORs, as never before`
      : undefined,
};

export const EXPIRING_LOG: Subject = {
  name: 'expiries',
  steps: 60,
  open: (directory, seed) => new ExpiringRun(directory, seed),
  expected: expiringContent,
  /** What the last step registered may have expired in the one under way; what the step before did has, once the last one was acknowledged. */
  check(found, { seed, acknowledged, most = acknowledged + 1 }) {
    const problems: (string | undefined)[] = [];
    for (let steps = acknowledged; steps <= most; steps++) {
      const expected = expiringContent(seed, steps);
      for (let n = Math.max(0, steps - 2); n < steps; n++)
        for (const aor of expiringOf(seed, n).map(String))
          if (!found.has(aor) || (n === steps - 2 && steps === acknowledged)) expected.delete(aor);
      problems.push(firstDifference(found, expected));
    }
    return problems.includes(undefined) ? undefined : `after ${acknowledged} steps ${problems[0]}`;
  },
};
