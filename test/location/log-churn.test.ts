// The store on a log of tiny generations, by seed: batches, commits that fail, restarts and hundreds of dropped generations, against a
// Map. A batch whose commit failed may be there after a restart, whole or not at all, unless a later one was committed.

import { describe, expect, it } from 'vitest';
import { noCheckpoint } from '../../src/location/checkpoint/checkpoint.ts';
import { LogStore } from '../../src/location/log/log-store.ts';
import { RowCopy } from '../../src/location/table/binding-row.ts';
import { WriteSet } from '../../src/location/write-set.ts';
import { type LogOperation, SimulatedDisk, SimulatedLog } from '../support/simulated-log.ts';
import { keyWords, putRecord, textOf } from './store-records.ts';

const AORS = 40;

interface Known {
  readonly text: string;
  readonly size: number;
  readonly cseq: number;
}

type State = ReadonlyMap<number, Known>;

function seeded(seed: number): () => number {
  let state = seed * 2 + 1;
  return () => {
    state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9;
    return ((state ^ (state >>> 13)) >>> 0) / 2 ** 32;
  };
}

class Run {
  readonly disk = new SimulatedDisk();
  store: LogStore;
  state: State = new Map();
  /** What may be there after a restart: with one of the batches that failed since the last that did not. */
  pending: State[] = [];
  failures = 0;
  private readonly random: () => number;
  private readonly writes = new WriteSet();
  private readonly row = new RowCopy();
  private batches = 0;

  constructor(seed: number) {
    this.random = seeded(seed);
    this.store = this.open();
  }

  step(): void {
    if (this.random() < 0.02) this.restart();
    const next = this.batch();
    const failing = this.random() < 0.08 ? (['append', 'settle'] as LogOperation[])[this.below(2)] : undefined;
    this.disk.fault = (operation) => {
      if (operation === failing) throw new Error('EIO');
    };
    let failed = false;
    try {
      this.store.commit(this.writes, ++this.batches);
    } catch {
      failed = true;
    }
    this.disk.fault = () => {};
    this.failures += failed ? 1 : 0;
    if (failed) return void this.pending.push(next);
    this.state = next;
    this.pending = [];
  }

  restart(): void {
    this.store.close();
    this.store = this.open();
    const there = content(this.store);
    this.state = this.pending.find((state) => shown(state) === there) ?? this.state;
    this.pending = [];
    this.compare();
    expect(this.store.replayed.damaged).toEqual([]);
  }

  compare(): void {
    expect(content(this.store)).toBe(shown(this.state));
    expect(this.store.aors).toBe(this.state.size);
  }

  private open(): LogStore {
    return new LogStore(new SimulatedLog(this.disk, 4096), noCheckpoint);
  }

  private batch(): State {
    const next = new Map(this.state);
    this.writes.clear();
    for (let i = this.below(6); i >= 0; i--) {
      const n = this.below(AORS);
      if (this.writes.find(...keyWords(n)) >= 0) continue;
      const known = next.get(n);
      const what = this.random();
      if (known !== undefined && what < 0.6) next.set(n, this.refresh(n, known));
      else if (known !== undefined && what < 0.7) {
        this.writes.put(...keyWords(n), 0);
        next.delete(n);
      } else next.set(n, this.put(n));
    }
    return next;
  }

  private put(n: number): Known {
    const known = { text: `${n}/${this.batches}/`, size: 20 + this.below(150), cseq: 1 };
    putRecord(this.writes, n, known.text, known.size);
    this.setRow(n, 1);
    this.writes.describePlain(this.writes.find(...keyWords(n)), this.row);
    return known;
  }

  private refresh(n: number, known: Known): Known {
    this.setRow(n, known.cseq + 1);
    this.writes.refresh(...keyWords(n), this.row);
    return { ...known, cseq: known.cseq + 1 };
  }

  private setRow(n: number, cseq: number): void {
    Object.assign(this.row, { identityLow: n + 1, expiresAt: 4e12 + cseq * 1000, grantedS: 3600, cseq, bindings: 1 });
  }

  private below(end: number): number {
    return Math.floor(this.random() * end);
  }
}

function shown(state: State): string {
  const lines = [...state].map(([n, { text, size, cseq }]) => `${n} ${text} ${size} ${cseq}`);
  return lines.sort().join('\n');
}

function content(store: LogStore): string {
  const lines: string[] = [];
  const row = new RowCopy();
  for (let n = 0; n < AORS; n++) {
    if (!store.find(...keyWords(n), row)) continue;
    const record = textOf(store, n)?.toString('latin1') ?? 'nothing'; // behind the AOR the image, with what a refresh changed
    lines.push(`${n} ${/^\d+\/\d+\//.exec(record)?.[0]} ${record.length} ${row.cseq}`);
  }
  return lines.sort().join('\n');
}

describe('the log store', () => {
  it('R3261-8.2-01 has what it acknowledged through failed commits, restarts and hundreds of dropped generations', () => {
    let dropped = 0;
    let longest = 0;
    for (let seed = 1; seed <= 40; seed++) {
      const run = new Run(seed);
      for (let step = 0; step < 400; step++) {
        run.step();
        longest = Math.max(longest, run.disk.generations.size);
        if (step % 20 === 0) run.compare();
      }
      run.restart();
      expect(run.failures, 'commits failed').toBeGreaterThan(5);
      dropped += Math.floor(run.store.log.tail / 4096);
    }
    expect(longest, 'the log stays short').toBeLessThan(15);
    expect(dropped).toBeGreaterThan(40 * 20);
  });
});
