// What damage costs: the AORs whose records lay there, and no others; whoever meets it goes on.

import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { checkpointIn, noCheckpoint } from '../../src/location/checkpoint/checkpoint.ts';
import { checkpointFiles } from '../../src/location/checkpoint/checkpoint-files.ts';
import { UnreadableError } from '../../src/location/location-reader.ts';
import { GENERATION_BYTES } from '../../src/location/log/generation/generation-size.ts';
import { LmdbLog } from '../../src/location/log/lmdb-log.ts';
import type { SharedLogSource } from '../../src/location/log/log.ts';
import { LogFiles } from '../../src/location/log/log-files.ts';
import { LogReader } from '../../src/location/log/log-reader.ts';
import { LogStore } from '../../src/location/log/log-store.ts';
import { openLogStore } from '../../src/location/open-log-store.ts';
import { RowCopy } from '../../src/location/table/binding-row.ts';
import { BindingTable, type TableNews } from '../../src/location/table/binding-table.ts';
import { WriteSet } from '../../src/location/write-set.ts';
import { bundle } from '../support/bundle.ts';
import { writeCheckpoint } from '../support/checkpoint-file.ts';
import { run } from '../support/child-process.ts';
import { followBatch } from '../support/follow-batch.ts';
import { SimulatedDisk, SimulatedLog } from '../support/simulated-log.ts';
import { OldLmdbLog } from './old-frames.ts';
import { keyOf, keyWords, putRecord, textOf } from './store-records.ts';

const GENERATION = 1 << 18;
const base = mkdtempSync(join(tmpdir(), 'aorta-damage-'));
let directories = 0;

afterAll(() => rmSync(base, { recursive: true, force: true }));

function freshDirectory(): string {
  return join(base, `shard-${directories++}`);
}

function onDisk(directory: string): LogStore {
  return new LogStore(new LmdbLog(directory, 'process', GENERATION), noCheckpoint);
}

function simulated(disk: SimulatedDisk, generationBytes = 8192): LogStore {
  return new LogStore(new SimulatedLog(disk, generationBytes), noCheckpoint);
}

/** AORs `from` to `end` - 1, in one batch. @param size of a record, bytes */
function put(store: LogStore, from: number, end: number, size = 200): void {
  store.commit(batchOf(from, end, size), 1);
}

/** As `put`, by a stream. */
function follow(store: LogStore, from: number, end: number, size = 200): void {
  followBatch(store, batchOf(from, end, size));
}

function batchOf(from: number, end: number, size: number): WriteSet {
  const writes = new WriteSet();
  const row = new RowCopy();
  for (let n = from; n < end; n++) {
    putRecord(writes, n, `aor-${n}/`, size);
    row.identityLow = n + 1;
    row.expiresAt = 4e12;
    row.grantedS = 3600;
    row.cseq = 1;
    row.bindings = 1;
    writes.describePlain(writes.find(...keyWords(n)), row);
  }
  return writes;
}

function refresh(store: LogStore, ...aors: readonly number[]): void {
  const writes = new WriteSet();
  const row = new RowCopy();
  for (const n of aors) {
    if (!store.find(...keyWords(n), row)) continue;
    row.cseq++;
    writes.refresh(...keyWords(n), row);
  }
  store.commit(writes, 1);
}

function remove(store: LogStore, ...aors: readonly number[]): void {
  const writes = new WriteSet();
  for (const n of aors) {
    writes.reserve(0);
    writes.put(...keyWords(n), 0);
  }
  store.commit(writes, 1);
}

function there(store: LogStore, end: number): number[] {
  return Array.from({ length: end }, (_, n) => n).filter((n) => isThere(store, n));
}

function isThere(store: LogStore, n: number): boolean {
  return textOf(store, n)?.toString('latin1').startsWith(`aor-${n}/`) ?? false;
}

function knows(store: LogStore, n: number): boolean {
  return store.find(...keyWords(n), new RowCopy());
}

function range(from: number, end: number): number[] {
  return Array.from({ length: end - from }, (_, i) => from + i);
}

/** Flips a bit `offset` bytes behind where the record of AOR n says its name for the first time. */
function flip(file: string, n: number, offset = 0): void {
  const at = readFileSync(file).indexOf(`aor-${n}/`);
  expect(at).toBeGreaterThan(0);
  flipAt(file, at + offset);
}

/** Flips a bit in the time of a generation's last frame. */
function flipLast(file: string): void {
  flipAt(file, (framesOf(file).at(-1) ?? 0) + 26);
}

/** Where the frames of a generation begin in its file. */
function framesOf(file: string): number[] {
  const bytes = readFileSync(file);
  const pages = Array.from({ length: bytes.length >> 12 }, (_, page) => (page << 12) + 24);
  return pages.filter((at) => [0x32676f6c, 0x6d617246].includes(bytes.readUInt32LE(at)));
}

/** Flips a bit in the time of a frame, by the order of addresses. */
function flipFrame(file: string, index: number): void {
  const bytes = readFileSync(file);
  const address = (at: number) => Number(bytes.readBigUInt64LE(at + 8));
  flipAt(file, framesOf(file).sort((a, b) => address(a) - address(b))[index] + 26);
}

function flipAt(file: string, at: number): void {
  const fd = openSync(file, 'r+');
  const byte = Buffer.alloc(1);
  readSync(fd, byte, 0, 1, at);
  byte[0] ^= 4;
  writeSync(fd, byte, 0, 1, at);
  closeSync(fd);
}

/** Removes the pages that name the trees of a generation. */
function cutTrees(file: string): void {
  const fd = openSync(file, 'r+');
  writeSync(fd, Buffer.alloc(2 * 4096), 0, 2 * 4096, 0);
  closeSync(fd);
}

function generation(directory: string, number: number): string {
  return join(directory, 'log', `${String(number).padStart(10, '0')}.mdb`);
}

function logNames(directory: string): string[] {
  return readdirSync(join(directory, 'log')).filter((name) => name.endsWith('.mdb'));
}

/** Refreshes until the log's oldest generation is not `tail` any more; false where it stays. */
function clean(store: LogStore, aors: readonly number[], batches: number): boolean {
  const { tail } = store.log;
  for (let i = 0; i < batches && store.log.tail === tail; i++) refresh(store, ...aors);
  return store.log.tail > tail;
}

function ioError(): Error {
  return Object.assign(new Error('EIO: i/o error, read'), { code: 'EIO' });
}

describe('a generation of the log', () => {
  it('R3261-8.2-01 does not overwrite what stands where it is to be: that is set aside', () => {
    const directory = freshDirectory();
    let store = onDisk(directory);
    let next = 0;
    while (logNames(directory).length < 2) put(store, next, ++next, 20_000);
    writeFileSync(generation(directory, 2), 'in the way');
    const last = next;
    while (logNames(directory).length < 4) put(store, next, ++next, 20_000);
    expect(next).toBeGreaterThan(last);
    expect(there(store, next)).toEqual(range(0, next));
    store.close();
    const aside = join(directory, 'damaged', '0000000002.mdb');
    expect(readFileSync(aside, 'latin1'), 'moved, not overwritten').toBe('in the way');
    store = onDisk(directory);
    expect(store.log.problems).toEqual({ aside: [], unfinished: [], missing: [] });
    expect(there(store, next)).toEqual(range(0, next));
    store.close();
  });

  it('R3261-8.2-01 has the size that an operator wants, the log stays short by it, and another start may want another', () => {
    const directory = freshDirectory();
    const MB = 1 << 20;
    const open = (generationBytes = GENERATION_BYTES) => openLogStore(directory, 'process', { generationBytes });
    let store = open(MB);
    put(store, 0, 100, 1000);
    const few = range(0, 100);
    for (let batch = 0; batch < 1200; batch++) {
      refresh(store, ...few);
      if (batch % 100 === 0) expect(store.log.bytes).toBeLessThanOrEqual(4 * MB);
    }
    expect(store.log.tail, 'generations were dropped').toBeGreaterThan(0);
    for (const name of logNames(directory)) expect(statSync(join(directory, 'log', name)).size).toBeLessThanOrEqual(MB);
    put(store, 100, 160, 50_000); // in one batch, three times as long as a file shall be
    expect(there(store, 160)).toEqual(range(0, 160));
    store.close();
    for (const bytes of [undefined, 2 * MB, MB]) {
      store = open(bytes);
      expect(there(store, 160)).toEqual(range(0, 160));
      for (let batch = 0; batch < 100; batch++) refresh(store, ...few);
      store.close();
    }
  });

  it('R3261-8.2-01 takes a smaller frame still where a larger one could not begin the next, and loses nothing', () => {
    const disk = new SimulatedDisk();
    let store = simulated(disk, 1 << 15);
    put(store, 0, 20, 900);
    disk.fault = (operation, place) => {
      if (operation === 'append' && place >= 1 << 15)
        throw Object.assign(new Error('ENOSPC: no space'), { code: 'ENOSPC' });
    };
    expect(() => put(store, 20, 40, 900)).toThrow('ENOSPC');
    put(store, 40, 41, 100);
    expect(there(store, 41)).toEqual([...range(0, 20), 40]);
    disk.fault = () => {};
    store = simulated(disk, 1 << 15);
    expect(there(store, 41)).toEqual([...range(0, 20), 40]);
  });

  it('R3261-8.2-01 ends where a commit fails, whatever failed, and what was refused is not there after the next batch', () => {
    for (const operation of ['append', 'settle'] as const) {
      const disk = new SimulatedDisk();
      let store = simulated(disk);
      put(store, 0, 5);
      let fails = true;
      disk.fault = (at) => {
        if (fails && at === operation) throw ioError();
      };
      expect(() => put(store, 5, 10)).toThrow('EIO');
      expect(there(store, 10)).toEqual(range(0, 5));
      fails = false;
      put(store, 20, 25);
      expect(there(store, 30)).toEqual([...range(0, 5), ...range(20, 25)]);
      store = simulated(disk);
      expect(there(store, 30), operation).toEqual([...range(0, 5), ...range(20, 25)]);
      expect(store.replayed.damaged).toEqual([]);
    }
  });

  it('R3261-10.3-33 that was refused stays refused where the first frame behind it is damaged', () => {
    const disk = new SimulatedDisk();
    let store = simulated(disk);
    put(store, 0, 5);
    disk.fault = (operation) => {
      if (operation === 'settle') throw ioError();
    };
    expect(() => put(store, 10, 15)).toThrow('EIO');
    disk.fault = () => {};
    refresh(store, 0);
    const behind = disk.generations.get(1);
    expect(behind?.[24], 'the first letter of its first frame').toBe(0x46);
    if (behind !== undefined) behind[24] ^= 1;
    store = simulated(disk);
    expect(there(store, 15)).toEqual(range(0, 5));
  });

  it('names where the log ended before, in the head of a generation', () => {
    const directory = freshDirectory();
    const ends: number[] = [];
    for (let life = 0; life < 3; life++) {
      const store = onDisk(directory);
      put(store, life * 10, life * 10 + 5);
      ends.push(store.log.last);
      store.close();
    }
    const { log } = onDisk(directory);
    expect([0, 1, 2].map((number) => log.before(number))).toEqual([-1, ends[0], ends[1]]);
    expect(log.before(3), 'no such generation').toBeUndefined();
    log.close();
  });

  it('R3261-10.3-33 is refused where descriptors are few, at whatever point, and the process goes on', async () => {
    const limit = 'ulimit -n 60; exec "$0" "$@"';
    const child = await bundle('test/location/store-child.ts');
    const few = await run(
      'bash',
      ['-c', limit, process.execPath, child, 'few-descriptors', freshDirectory(), 'durable'],
      30_000,
    );
    expect(few.exit, few.output()).toEqual({ code: 0, signal: null });
    expect(JSON.parse(few.stdout)).toMatchObject({ refused: expect.arrayContaining(['EMFILE']), applied: 1 });
  });

  it('R3261-10.3-33 whose commits fail costs no rows of the table', () => {
    const disk = new SimulatedDisk();
    const store = simulated(disk);
    disk.fault = (operation) => {
      if (operation === 'append') throw ioError();
    };
    for (let n = 0; n < 100; n++) expect(() => put(store, n * 5, n * 5 + 5)).toThrow('EIO');
    disk.fault = () => {};
    put(store, 0, 5);
    expect(store.table.rows).toBe(5);
    expect(there(store, 500)).toEqual(range(0, 5));
  });

  it('that is of another log, no generation, or has another number, is set aside and named, and the others stay', () => {
    const other = freshDirectory();
    const foreign = onDisk(other);
    put(foreign, 500, 505);
    foreign.close();
    const directory = freshDirectory();
    let store = onDisk(directory);
    put(store, 0, 5);
    store.close();
    copyFileSync(generation(other, 0), generation(directory, 7));
    copyFileSync(generation(directory, 0), generation(directory, 8));
    writeFileSync(generation(directory, 9), 'none');
    store = onDisk(directory);
    const aside = [7, 8, 9].map((number) => join(directory, 'damaged', `${String(number).padStart(10, '0')}.mdb`));
    expect([...store.log.problems.aside].sort()).toEqual(aside);
    for (const file of aside) expect(existsSync(file)).toBe(true);
    expect(there(store, 600)).toEqual(range(0, 5));
    put(store, 5, 10);
    store.close();
    store = onDisk(directory);
    expect(store.log.problems).toEqual({ aside: [], unfinished: [], missing: [] });
    expect(there(store, 600)).toEqual(range(0, 10));
    store.close();
  });

  it.each(['process', 'durable'] as const)('that was dropped is not missed (%s)', (durability) => {
    const directory = freshDirectory();
    const open = () => new LogStore(new LmdbLog(directory, durability, GENERATION), noCheckpoint);
    for (let life = 0; life < 3; life++) {
      const store = open();
      expect(store.log.problems).toEqual({ aside: [], unfinished: [], missing: [] });
      put(store, 0, 5);
      store.close();
    }
    const { log } = open();
    expect(log.tail, 'generations were dropped').toBe(524_288);
    expect(log.problems.missing).toEqual([]);
    log.close();
  });

  it('that was being made is removed, and is no damage', () => {
    const directory = freshDirectory();
    for (const pages of [-1, 0, 2, 5]) {
      let store = onDisk(directory);
      put(store, 0, 5);
      const next = (store.log.generations.at(-1) ?? 0) + 1;
      store.close();
      // As far as the making got: zeros, meta pages, or the pages of the tree, too; the value that names the log never.
      const made = readFileSync(generation(directory, next - 1)).subarray(0, 65_536);
      for (let at = 0; at < made.length; at += 4096)
        if (at >= pages * 4096 || (made.readUInt16LE(at + 18) & 11) === 0) made.fill(0, at, at + 4096);
      writeFileSync(generation(directory, next), pages < 0 ? '' : made);
      store = onDisk(directory);
      expect(store.log.problems).toEqual({ aside: [], unfinished: [generation(directory, next)], missing: [] });
      expect(existsSync(generation(directory, next))).toBe(false);
      expect(there(store, 10)).toEqual(range(0, 5));
      store.close();
    }
  });

  it('that was being made, and of which a cut of power left sectors here and there, is removed, too', () => {
    const directory = freshDirectory();
    let store = onDisk(directory);
    put(store, 0, 60);
    store.close();
    const torn = readFileSync(generation(directory, 0));
    // Of the leaf, the head and the first page of the batch: all but the first sector.
    for (const page of [2, 3, 4]) torn.fill(0, page * 4096, page * 4096 + 512);
    expect(torn.subarray(5 * 4096, 6 * 4096).some((byte) => byte !== 0)).toBe(true);
    writeFileSync(generation(directory, 1), torn);
    store = onDisk(directory);
    expect(store.log.problems).toEqual({ aside: [], unfinished: [generation(directory, 1)], missing: [] });
    store.close();
    // Where the head was there once, it is none that was being made.
    torn[3 * 4096 + 30] = 1;
    writeFileSync(generation(directory, 1), torn);
    store = onDisk(directory);
    expect(store.log.problems.aside).toEqual([join(directory, 'damaged', '0000000001.mdb')]);
    expect(there(store, 60)).toEqual(range(0, 60));
    store.close();
  });

  it('that is missing costs what lay in it; those before and behind are read, and it is named', () => {
    const directory = freshDirectory();
    for (let life = 0; life < 4; life++) {
      const store = onDisk(directory);
      put(store, life * 10, life * 10 + 10);
      store.close();
    }
    unlinkSync(generation(directory, 1));
    for (let start = 0; start < 2; start++) {
      const store = onDisk(directory);
      expect(store.log.problems.missing).toEqual([1]);
      expect(store.replayed.damaged.length).toBe(1);
      expect(there(store, 40)).toEqual([...range(0, 10), ...range(20, 40)]);
      store.close();
    }
  });

  it('counts without its manifest, and a manifest that is damaged is set aside', () => {
    const directory = freshDirectory();
    let store = onDisk(directory);
    put(store, 0, 10);
    store.close();
    flipAt(join(directory, 'log', 'manifest'), 12);
    store = onDisk(directory);
    expect(store.log.problems.aside).toEqual([join(directory, 'damaged', 'manifest')]);
    expect(there(store, 10)).toEqual(range(0, 10));
    store.close();
  });
});

describe('a damaged frame', () => {
  it('costs the record that was hit; the others of its batch and all refreshes are read at the start', () => {
    const directory = freshDirectory();
    let store = onDisk(directory);
    put(store, 0, 20);
    put(store, 20, 40);
    refresh(store, 3, 25);
    store.close();
    flip(generation(directory, 0), 7, 30);
    store = onDisk(directory);
    expect(there(store, 40)).toEqual(range(0, 40).filter((n) => n !== 7));
    const row = new RowCopy();
    for (const n of [3, 25]) expect(store.find(...keyWords(n), row) && row.cseq).toBe(2);
    expect(store.replayed.damaged).toHaveLength(1);
    expect(readdirSync(join(directory, 'damaged'))).toHaveLength(1);
    put(store, 7, 8);
    store.close();
    store = onDisk(directory);
    expect(there(store, 40)).toEqual(range(0, 40));
    store.close();
  });

  it('without a header gives the records that are whole', () => {
    const directory = freshDirectory();
    let store = onDisk(directory);
    put(store, 0, 1);
    put(store, 1, 30);
    put(store, 30, 31);
    store.close();
    const file = generation(directory, 0);
    const page = readFileSync(file).indexOf('aor-1/') & ~4095;
    for (const at of [24, 28, 32]) flipAt(file, page + at); // magic, length, address
    store = onDisk(directory);
    expect(there(store, 31)).toEqual(range(0, 31));
    expect(store.replayed.damaged, 'each by itself').toHaveLength(29);
    store.close();
  });

  it('R3261-8.2-01 of the version before is read, refreshes and removals too, and damage in it costs what it hit', () => {
    const directory = freshDirectory();
    let store = new LogStore(new OldLmdbLog(directory, 'process', GENERATION), noCheckpoint);
    put(store, 0, 20);
    put(store, 20, 40);
    refresh(store, 3, 25);
    remove(store, 4, 30);
    store.close();
    const is = (...gone: readonly number[]) => range(0, 40).filter((n) => !gone.includes(n));
    store = onDisk(directory);
    expect(store.replayed.damaged).toEqual([]);
    expect(there(store, 40)).toEqual(is(4, 30));
    refresh(store, 5); // a frame of today behind them
    store.close();
    flip(generation(directory, 0), 7, 30);
    flipLast(generation(directory, 0));
    store = onDisk(directory);
    expect(there(store, 40)).toEqual(is(4, 7, 30));
    const row = new RowCopy();
    for (const n of [3, 5, 25]) expect(store.find(...keyWords(n), row) && row.cseq, `AOR ${n}`).toBe(2);
    expect(store.replayed.damaged).toHaveLength(2);
    const { tail } = store.log;
    clean(store, range(8, 30), 3000);
    expect(store.log.tail).toBeGreaterThan(tail);
    expect(there(store, 40)).toEqual(is(4, 7, 30));
    store.close();
  });

  it('R3261-8.2-01 whose length leads out of its generation does not put the head of the log behind the next frames', () => {
    const directory = freshDirectory();
    let store = onDisk(directory);
    put(store, 0, 1);
    put(store, 1, 2);
    const { log } = store;
    const page = (log.find((log.find(0)?.place ?? -1) + 8)?.place ?? -1) - 24;
    store.close();
    flipAt(generation(directory, 0), page + 24 + 6); // 256 KiB more
    store = onDisk(directory);
    expect(store.log.head).toBeLessThanOrEqual(GENERATION);
    expect(there(store, 2)).toEqual([0, 1]);
    const { head, last, lastSum } = store.marks;
    expect(head).toBeGreaterThan(last);
    put(store, 2, 3);
    store.close();
    // A replay that begins where a checkpoint of that moment says.
    const log2 = new LmdbLog(directory, 'process', GENERATION);
    store = new LogStore(log2, () => ({
      end: { address: head, last, lastSum },
      copiedTo: head,
      bytes: 0,
      problem: undefined,
      refuse: () => noCheckpoint(new BindingTable(), log2, () => {}),
    }));
    expect(knows(store, 2)).toBe(true);
    store.close();
  });

  it('R3261-8.2-01 of an answer is told to be damaged, though a cut of power took what followed and both trees', () => {
    const directory = freshDirectory();
    const open = () => new LogStore(new LmdbLog(directory, 'durable', GENERATION), noCheckpoint);
    let store = open();
    put(store, 0, 3);
    put(store, 3, 5);
    const writes = new WriteSet();
    for (const n of [0, 1]) {
      writes.clear();
      writes.reserve(0);
      writes.put(...keyWords(n), 0);
      store.commit(writes, 2, false);
    }
    store.close();
    const file = generation(directory, 0);
    flipFrame(file, 2);
    cutTrees(file);
    for (let next = 1; next < 3; next++) {
      store = open();
      expect([store.replayed.damaged, store.replayed.torn !== null]).toEqual([[], true]);
      expect(there(store, 5)).toEqual([2, 3, 4]);
      put(store, 10 * next, 10 * next + 1);
      put(store, 10 * next + 1, 10 * next + 2);
      store.close();
      cutTrees(generation(directory, next));
    }
    open().close();
    flip(file, 3);
    flip(generation(directory, 1), 11);
    store = open();
    expect(store.replayed.damaged.length).toBe(2);
    store.close();
  });

  it('that cannot be read costs what lay in the piece, at a start, too', () => {
    const disk = new SimulatedDisk();
    let store = simulated(disk, 1 << 16);
    put(store, 0, 40);
    put(store, 40, 45);
    const row = new RowCopy();
    expect(store.find(...keyWords(20), row)).toBe(true);
    const bad = store.table.placeOf(row.row);
    disk.fault = (operation, place, length) => {
      if (operation === 'read' && place <= bad && bad < place + length) throw ioError();
    };
    store = simulated(disk, 1 << 16);
    const left = there(store, 45);
    expect(left.length).toBeGreaterThan(10);
    expect(left).toContain(44);
    expect(store.replayed.damaged).toHaveLength(1);
  });
});

describe('a record that goes bad while the server runs', () => {
  const reader = (store: LogStore, files: SharedLogSource): LogReader => {
    const news: TableNews[] = [];
    return new LogReader(
      files,
      store.share((item) => news.push(item)),
      () => news.shift(),
    );
  };

  it('R3261-10.3-33 is given up when a lookup meets it, so that the next refresh registers anew', () => {
    const directory = freshDirectory();
    let store = onDisk(directory);
    put(store, 0, 10);
    const lookups = reader(store, new LogFiles(directory, GENERATION));
    flip(generation(directory, 0), 4, 20);
    expect(knows(store, 4), 'nobody has looked').toBe(true);
    expect(lookups.read(keyOf(4), new Uint8Array(1000))).toBe(-1);
    store.expire(1, 100, { expire: () => expect.unreachable() });
    expect(knows(store, 4)).toBe(false);
    expect(store.quarantined).toBe(1);
    put(store, 4, 5);
    expect(lookups.read(keyOf(4), new Uint8Array(1000))).toBe(store.load(keyOf(4), new Uint8Array(1000)));
    expect(there(store, 10)).toEqual(range(0, 10));
    lookups.close();
    store.close();
    store = onDisk(directory);
    expect(there(store, 10)).toEqual(range(0, 10));
    store.close();
  });

  it('R3261-10.3-33 is given up where the disk does not give it and takes what is written', () => {
    const disk = new SimulatedDisk();
    const store = simulated(disk);
    put(store, 0, 10);
    const row = new RowCopy();
    store.find(...keyWords(4), row);
    const bad = store.table.placeOf(row.row);
    disk.fault = (operation, place) => {
      if (operation === 'read' && place === bad) throw ioError();
    };
    expect(textOf(store, 4)).toBeUndefined();
    expect(knows(store, 4)).toBe(false);
    expect(there(store, 10)).toEqual(range(0, 10).filter((n) => n !== 4));
  });

  it('R3261-8.2-01 stays where the disk gives and takes nothing, and is there when it does', () => {
    const disk = new SimulatedDisk();
    const store = simulated(disk);
    put(store, 0, 10);
    const lookups = reader(store, store.log);
    const dead = () => {
      throw ioError();
    };
    disk.fault = dead;
    expect(() => textOf(store, 4)).toThrow('EIO');
    expect(() => lookups.read(keyOf(4), new Uint8Array(1000))).toThrow(UnreadableError);
    expect(lookups.scan(new Uint8Array(0), 100, () => expect.unreachable())).toBeUndefined();
    store.expire(1, 100, { expire: () => expect.unreachable() });
    disk.fault = () => {};
    expect(there(store, 10)).toEqual(range(0, 10));
    expect(store.quarantined).toBe(0);
  });
});

describe('the cleaner', () => {
  for (const damage of ['a flipped bit', 'a header that is lost', 'a sector that cannot be read'] as const) {
    it(`goes past ${damage}: the log stays short, and only what was hit is given up`, () => {
      const disk = new SimulatedDisk();
      const store = simulated(disk, 1 << 15);
      for (let n = 0; n < 60; n += 5) put(store, n, n + 5);
      const row = new RowCopy();
      store.find(...keyWords(12), row);
      const place = store.table.placeOf(row.row);
      const bytes = disk.generations.get(0) ?? new Uint8Array(0);
      const frameAt = Buffer.from(bytes.buffer).lastIndexOf('2gol', place) & ~63;
      if (damage === 'a flipped bit') bytes[place + 100] ^= 1;
      else if (damage === 'a header that is lost') bytes.fill(0, frameAt + 24, frameAt + 64);
      else
        disk.fault = (operation, at, length) => {
          if (operation === 'read' && at <= place && place < at + length) throw ioError();
        };
      const alive = range(0, 60);
      for (let round = 0; round < 6; round++) {
        expect(clean(store, alive, 2000), `round ${round}`).toBe(true);
      }
      expect(store.log.bytes).toBeLessThan(10 * (1 << 15));
      const left = there(store, 60);
      if (damage !== 'a sector that cannot be read') expect(left.length).toBeGreaterThanOrEqual(59);
      else expect(left.length).toBeGreaterThan(50);
      for (const n of range(0, 60)) expect(knows(store, n), `${n}`).toBe(left.includes(n));
      store.close();
      const again = simulated(disk, 1 << 15);
      expect(there(again, 60)).toEqual(left);
    });
  }
});

describe('a log whose rest a stream has', () => {
  /** AORs of a frame. */
  const EACH = 4;

  const open = (directory: string, endsAtDamage = true) => {
    const readCheckpoint = checkpointIn(checkpointFiles(directory));
    return new LogStore(new LmdbLog(directory, 'process', GENERATION), readCheckpoint, { endsAtDamage });
  };

  /** Fills the generations 0 to 3 of a log; returns how many AORs are in each and those before. */
  function fill(directory: string, fillWith = follow): number[] {
    const store = open(directory);
    store.marks.checkpointed = 0; // nothing is dropped
    const aors: number[] = [];
    for (let n = 0; logNames(directory).length < 5; n += EACH) {
      fillWith(store, n, n + EACH, 5000);
      aors[logNames(directory).length - 1] = n + EACH;
    }
    store.close();
    expect(logNames(directory), 'none was dropped').toContain('0000000000.mdb');
    return aors.slice(0, 4);
  }

  const damages: readonly [string, (directory: string, aors: readonly number[]) => number][] = [
    [
      'a flipped bit in the middle',
      (directory, [first]) => {
        flip(generation(directory, 1), first + 5 * EACH + 1);
        return first + 5 * EACH;
      },
    ],
    [
      'a file that is missing',
      (directory, [, second]) => {
        unlinkSync(generation(directory, 2));
        return second;
      },
    ],
    [
      'its oldest file, which is missing',
      (directory) => {
        unlinkSync(generation(directory, 0));
        return 0;
      },
    ],
    [
      'its first frame, which is damaged',
      (directory) => {
        flip(generation(directory, 0), 0);
        return 0;
      },
    ],
  ];

  it.each(damages)(
    'R3261-8.2-01 ends before %s: all that was before is there, and nothing of behind, in later lives either',
    (_, damage) => {
      const directory = freshDirectory();
      const aors = fill(directory);
      const end = damage(directory, aors);
      for (let life = 0; life < 2; life++) {
        const store = open(directory); // and dies before it has gone on
        expect(there(store, aors[3])).toEqual(range(0, end));
        expect([store.quarantined, store.log.problems.missing]).toEqual([0, []]);
        if (life === 0) expect(store.replayed.endedAt).not.toBeNull();
        store.close();
      }
      expect(readdirSync(join(directory, 'damaged')).length, 'the rest is kept').toBeGreaterThan(0);
      let store = open(directory);
      follow(store, end, end + EACH);
      store.close();
      for (const endsAtDamage of [true, false, true]) {
        store = open(directory, endsAtDamage);
        expect([store.replayed.endedAt, store.replayed.damaged]).toEqual([null, []]);
        expect(there(store, aors[3])).toEqual(range(0, end + EACH));
        follow(store, end, end + 1);
        store.close();
      }
    },
  );

  it.each(damages.filter(([what]) => !what.includes('middle')))(
    'R3261-8.2-01 is read to its end where it has lost, from before its cluster, %s',
    (_, damage) => {
      const directory = freshDirectory();
      const [first, second, third, last] = fill(directory, put);
      const end = damage(directory, [first, second, third, last]);
      for (let life = 0; life < 2; life++) {
        const store = open(directory);
        expect(store.replayed.lacksMoved, 'only a copy has what is missing').toBe(true);
        expect(store.replayed.damaged.length + store.log.problems.missing.length).toBeGreaterThan(0);
        const lost = range(0, last).filter((n) => !isThere(store, n));
        const [from, to] = end === second ? [second, third] : [0, first];
        expect(lost.every((n) => n >= from && n < to)).toBe(true);
        store.close();
      }
    },
  );

  it('R3261-8.2-01 has no row of a checkpoint that is newer than its end', () => {
    const directory = freshDirectory();
    let store = open(directory);
    follow(store, 0, EACH);
    const end = store.marks.end();
    follow(store, EACH, 2 * EACH);
    follow(store, 2 * EACH, 3 * EACH);
    // As one that was copied while frames came.
    writeCheckpoint(store, directory, end);
    store.close();
    store = open(directory);
    expect([store.checkpoint.problem, there(store, 3 * EACH)]).toEqual([undefined, range(0, 3 * EACH)]);
    store.close();
    flip(generation(directory, 0), EACH);
    for (let life = 0; life < 2; life++) {
      store = open(directory);
      expect(there(store, 3 * EACH)).toEqual(range(0, EACH));
      expect(range(0, 3 * EACH).filter((n) => knows(store, n))).toEqual(range(0, EACH));
      expect(store.checkpoint.end).toBeUndefined();
      if (life === 0) expect(store.checkpoint.problem).toMatch(/checkpoint: the log is damaged behind its end$/);
      store.close();
    }
    store = open(directory);
    follow(store, EACH, 3 * EACH);
    writeCheckpoint(store, directory);
    for (let n = 3; n < 6; n++) follow(store, n * EACH, (n + 1) * EACH);
    store.close();
    flip(generation(directory, 1), 4 * EACH);
    store = open(directory);
    expect(store.checkpoint.end, 'the damage is behind all of its rows').toBeDefined();
    expect(there(store, 6 * EACH)).toEqual(range(0, 4 * EACH));
    store.close();
  });

  it('R3261-8.2-01 is read to its end where what was before the damage may have been moved behind it', () => {
    const directory = freshDirectory();
    const [first, , , last] = fill(directory);
    let store = open(directory);
    expect(clean(store, range(0, first), 4000), 'a generation was dropped').toBe(true);
    const moved = there(store, last);
    store.close();
    flip(generation(directory, 1), first + 1);
    store = open(directory);
    expect([store.replayed.endedAt, store.replayed.damaged.length]).toEqual([null, 1]);
    const lost = moved.filter((n) => !isThere(store, n));
    expect(lost.length).toBeLessThanOrEqual(EACH);
    expect(store.replayed.lacksMoved, 'only a copy has what is missing').toBe(true);
    store.close();
  });

  it.each(['its last file', 'its last frame'])('is known to lack what was moved where %s is gone', (what) => {
    const directory = freshDirectory();
    const [first] = fill(directory);
    let store = open(directory);
    expect(clean(store, range(0, first), 4000), 'a generation was dropped').toBe(true);
    store.close();
    store = open(directory);
    expect(store.replayed.lacksMoved).toBe(false);
    store.close();
    const newest = join(directory, 'log', logNames(directory).sort().at(-1) ?? '');
    if (what === 'its last file') unlinkSync(newest);
    else flipLast(newest);
    store = open(directory);
    expect(store.replayed.lacksMoved).toBe(true);
    store.close();
  });
});
