// Checkpoints: copied while the store goes on, they and the log since are the store. Damaged, old or foreign ones do not count.

import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { seeded } from '../../src/commands/bench/sample-messages.ts';
import { CheckpointWriter } from '../../src/location/checkpoint/checkpoint.ts';
import { checkpointFiles } from '../../src/location/checkpoint/checkpoint-files.ts';
import { openLogStore } from '../../src/location/open-log-store.ts';
import type { TableNews } from '../../src/location/table/binding-table.ts';
import { SUB_TABLES } from '../../src/location/table/key-index.ts';
import { TableCopier } from '../../src/location/table/table-copier.ts';
import { WriteSet } from '../../src/location/write-set.ts';
import {
  apply,
  type ChurnOptions,
  churnBatch,
  contentOf,
  contentOfState,
  difference,
  type State,
} from '../crash/churn.ts';

const base = mkdtempSync(join(tmpdir(), 'aorta-checkpoint-'));
let directories = 0;

afterAll(() => {
  rmSync(base, { recursive: true, force: true });
});

/** A store with a churn, and how to go on with it. */
class Churn {
  readonly directory = join(base, `shard-${directories++}`);
  store = openLogStore(this.directory, 'process');
  readonly state: State = new Map();
  readonly writes = new WriteSet();
  readonly options: ChurnOptions;
  next = 0;

  constructor(options: ChurnOptions) {
    this.options = options;
  }

  run(batches: number): void {
    for (const end = this.next + batches; this.next < end; this.next++) {
      churnBatch(this.store, this.writes, this.options, this.next);
      this.store.commit(this.writes, 0);
      apply(this.state, this.options, this.next);
    }
  }

  reopen(): void {
    this.store.close();
    this.store = openLogStore(this.directory, 'process');
  }

  /** Writes a checkpoint; between any two of its pieces `meanwhile` may run. */
  checkpoint(meanwhile: () => void): void {
    const { store } = this;
    const news: TableNews[] = [];
    const copier = new TableCopier(
      store.share((item) => news.push(item)),
      () => news.shift(),
    );
    const end = store.marks.end();
    const writer = new CheckpointWriter(checkpointFiles(this.directory));
    meanwhile();
    for (let sub = 0; sub < SUB_TABLES; sub++) {
      const { words, used } = copier.subTable(sub);
      writer.subTable(sub, words, used);
      meanwhile();
    }
    for (let chunk = 0; chunk < copier.chunkCount; chunk++) {
      writer.rows(Uint32Array.from(copier.rows(chunk)));
      meanwhile();
    }
    writer.finish(end, store.marks.head);
  }

  compare(): void {
    expect(difference(contentOf(this.store), contentOfState(this.state))).toBeUndefined();
  }
}

describe('a checkpoint', () => {
  it('R3261-8.2-01 with the log since is the store, whatever happened while it was copied', () => {
    for (let seed = 1; seed <= 5; seed++) {
      const random = seeded(seed);
      const aors = [30, 3000, 40_000][seed % 3];
      const churn = new Churn({ seed, aors, batch: 200, bytes: 200 });
      for (let round = 0; round < 3; round++) {
        churn.run(Math.floor(random() * 150));
        churn.checkpoint(() => {
          if (random() < 0.1) churn.run(1 + Math.floor(random() * 3));
        });
        churn.run(Math.floor(random() * 50));
        churn.reopen();
        expect(churn.store.checkpoint.problem).toBeUndefined();
        expect(churn.store.checkpoint.end).toBeDefined();
        expect(churn.store.replayed.damaged).toEqual([]);
        churn.compare();
        churn.run(20);
        churn.compare();
      }
      churn.store.close();
    }
  });

  it('is not the only way: the whole log gives the same', () => {
    const churn = new Churn({ seed: 77, aors: 500, batch: 50, bytes: 100 });
    churn.run(100);
    churn.checkpoint(() => churn.run(1));
    churn.run(10);
    churn.reopen();
    churn.compare();
    churn.store.close();
    rmSync(join(churn.directory, 'checkpoint'));
    churn.store = openLogStore(churn.directory, 'process');
    expect(churn.store.checkpoint).toMatchObject({ end: undefined, problem: undefined });
    expect(churn.store.replayed.damaged).toEqual([]);
    churn.compare();
    churn.store.close();
  });

  it('that is damaged, cut off or of another log is named, and the whole log is read', () => {
    const churn = new Churn({ seed: 5, aors: 500, batch: 50, bytes: 100 });
    churn.run(50);
    churn.checkpoint(() => {});
    churn.run(10);
    churn.store.close();
    const file = join(churn.directory, 'checkpoint');
    const good = join(base, 'good');
    copyFileSync(file, good);
    const { size } = statSync(file);
    const flip = (at: number) => {
      const fd = openSync(file, 'r+');
      writeSync(fd, Buffer.from([0x5a]), 0, 1, at);
      closeSync(fd);
    };
    const random = seeded(9);
    const damages: [string, () => void][] = [
      ['its first byte', () => flip(0)],
      ['its address', () => flip(9)],
      ...Array.from({ length: 8 }, (): [string, () => void] => [
        'a byte',
        () => flip(64 + Math.floor(random() * (size - 64))),
      ]),
      ['its end', () => truncateSync(file, size - 4)],
      ['half of it', () => truncateSync(file, size >> 1)],
      ['everything', () => truncateSync(file, 0)],
    ];
    for (const [what, damage] of damages) {
      copyFileSync(good, file);
      damage();
      const isSame = what === 'a byte' && sameBytes(good, file);
      const store = openLogStore(churn.directory, 'process');
      if (!isSame) {
        expect(existsSync(file), 'no start after this one takes it').toBe(false);
        expect(store.checkpoint.problem, what).toContain(file);
        expect(store.checkpoint.end, what).toBeUndefined();
      }
      expect(difference(contentOf(store), contentOfState(churn.state)), what).toBeUndefined();
      store.close();
    }
    const other = new Churn({ seed: 6, aors: 50, batch: 5, bytes: 100 });
    other.run(2);
    other.store.close();
    copyFileSync(good, join(other.directory, 'checkpoint'));
    const store = openLogStore(other.directory, 'process');
    expect(store.checkpoint.problem).toContain('newer than the log');
    expect(difference(contentOf(store), contentOfState(other.state))).toBeUndefined();
    store.close();
  });

  it('keeps the log from its address on', () => {
    const churn = new Churn({ seed: 8, aors: 40, batch: 30, bytes: 60_000 });
    churn.run(20);
    churn.checkpoint(() => {});
    churn.store.marks.checkpointed = churn.store.marks.last;
    const pinned = churn.store.marks.checkpointed;
    const batches = () => churn.run(100);
    while (churn.store.log.head < 4 * 2 ** 26) batches();
    expect(churn.store.log.tail, 'nothing dropped from there on').toBeLessThanOrEqual(pinned);
    churn.store.marks.checkpointed = churn.store.marks.last;
    batches();
    expect(churn.store.log.tail, 'a newer checkpoint lets go of it').toBeGreaterThan(pinned);
    churn.compare();
    // The old file is older than the log by now.
    churn.reopen();
    expect(churn.store.checkpoint.problem).toContain('older than the log');
    churn.compare();
    churn.store.close();
  });
});

function sameBytes(a: string, b: string): boolean {
  return readFileSync(a).equals(readFileSync(b));
}
