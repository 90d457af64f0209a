// The store on disk: the contract, and what only a disk can show: order, kill -9, full disks, garbage.

import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LmdbReader, LmdbStore } from '../../src/location/lmdb-store.ts';
import { WriteSet } from '../../src/location/write-set.ts';
import { bundle } from '../support/bundle.ts';
import { Child, killAll, run } from '../support/child-process.ts';
import { storeConformance } from './store-conformance.ts';
import { putRecord, textOf } from './store-records.ts';

const base = mkdtempSync(join(tmpdir(), 'aorta-store-'));
let directories = 0;
let child: string;

function freshDirectory(): string {
  return join(base, `shard-${directories++}`);
}

async function have(program: string): Promise<boolean> {
  return (await run('sh', ['-c', `command -v ${program}`], 5000)).exit.code === 0;
}

beforeAll(async () => {
  child = await bundle('test/location/store-child.ts');
});

afterAll(async () => {
  await killAll();
  rmSync(base, { recursive: true, force: true });
});

for (const durability of ['durable', 'process'] as const) {
  const directoryOf = new Map<unknown, string>();
  const open = (directory: string): LmdbStore => {
    const store = new LmdbStore(directory, durability);
    directoryOf.set(store, directory);
    return store;
  };
  storeConformance(`lmdb-store (${durability})`, {
    open: () => open(freshDirectory()),
    reader: (store) => new LmdbReader(directoryOf.get(store) ?? '', durability),
    reopen: async (store) => {
      const directory = directoryOf.get(store) ?? '';
      store.close();
      await new Promise((resolve) => setImmediate(resolve)); // lmdb-js closes an environment a turn later
      return open(directory);
    },
  });

  describe(`lmdb-store (${durability})`, () => {
    it('has everything it acknowledged after kill -9', async () => {
      const directory = freshDirectory();
      for (let round = 0; round < 3; round++) {
        const writer = new Child(process.execPath, [child, 'acknowledge', directory, durability]);
        await writer.until(round === 1 ? /^3\n/m : /^200\n/m, 15_000);
        writer.signal('SIGKILL');
        await writer.exited;
        const acknowledged = Number(writer.stdout.trimEnd().split('\n').at(-1));
        const store = new LmdbStore(directory, durability);
        for (let n = 0; n <= acknowledged; n++) {
          expect(textOf(store, n)?.toString('latin1').startsWith(`aor-${n}`)).toBe(true);
        }
        expect(store.scan(() => {}).quarantined).toBe(0);
        store.close();
      }
    });

    it(durability === 'durable' ? 'syncs once before commit returns' : 'syncs nothing', async (context) => {
      if (process.platform !== 'linux' || !(await have('strace'))) return context.skip('strace is not there');
      const directory = freshDirectory();
      const log = `${directory}.strace`;
      const calls = 'trace=fdatasync,fsync,msync,sync_file_range,write,pwrite64,pwritev,openat';
      const args = ['-f', '-e', calls, '-s', '16', '-o', log, process.execPath, child, 'trace', directory, durability];
      expect((await run('strace', args, 30_000)).exit.code).toBe(0);
      const lines = readFileSync(log, 'latin1').split('\n');
      const commits = lines
        .join('\n')
        .split(/write\(1, "before\\n".*\n/)
        .slice(1);
      expect(commits.length).toBe(10);
      for (const text of commits) {
        const commit = text.slice(0, text.search(/write\(1, "after\\n"/));
        expect(commit).toMatch(/pwrite/);
        const syncs = commit.match(/(fdatasync|fsync|msync)\(/g) ?? [];
        expect(syncs.length).toBe(durability === 'durable' ? 1 : 0);
      }
      // What comes after the one fdatasync is the meta page, written to a descriptor opened with O_DSYNC.
      if (durability === 'durable') expect(lines.some((line) => /data\.mdb".*O_DSYNC/.test(line))).toBe(true);
    });
  });
}

describe('lmdb-store', () => {
  it('neither grows its file nor heaps up timers while a thread never returns to the event loop', () => {
    const directory = freshDirectory();
    const store = new LmdbStore(directory, 'process');
    const writes = new WriteSet();
    const into = new Uint8Array(65_536);
    const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
    const round = (first: number): void => {
      for (let n = first; n < first + 100; n++) {
        textOf(store, n, into);
        putRecord(writes, n, `aor-${n}`, 400);
      }
      store.commit(writes);
      writes.clear();
    };
    for (let i = 0; i < 20; i++) round((i % 10) * 100);
    const size = statSync(join(directory, 'data.mdb')).size;
    const before = timers();
    for (let i = 0; i < 2000; i++) round((i % 10) * 100);
    expect(statSync(join(directory, 'data.mdb')).size).toBeLessThan(2 * size);
    expect(timers() - before).toBeLessThanOrEqual(1);
    store.close();
  });

  it('applies nothing when the disk is full, and goes on when there is room again', async (context) => {
    if (process.platform !== 'linux' || !(await have('prlimit'))) return context.skip('prlimit is not there');
    const command = `ulimit -S -f 4000; exec "$0" "$@"`;
    const args = ['-c', command, process.execPath, child, 'disk-full', freshDirectory(), 'durable'];
    const starved = await run('bash', args, 30_000);
    expect(starved.exit, starved.output()).toEqual({ code: 0, signal: null });
    const result = JSON.parse(starved.stdout);
    expect(result.failure).toMatch(/too large|no space|input\/output/i);
    expect(result).toMatchObject({ applied: 0, again: 5, kept: result.committed, records: result.committed + 50 });
  });

  const damage: [string, (data: Buffer) => Buffer][] = [
    ['is no database', () => Buffer.from('this is not a database\n'.repeat(4000))],
    ['is all zeros', (data) => Buffer.alloc(data.length)],
    ['ends in its first page', (data) => data.subarray(0, 3000)],
    ['ends after its first page', (data) => data.subarray(0, 4096)],
    ['ends before its root', (data) => data.subarray(0, 8192)],
    ['lost its first page', (data) => Buffer.concat([Buffer.alloc(4096), data.subarray(4096)])],
  ];
  for (const [what, harm] of damage) {
    it(`names the file, and what to do, when it ${what}`, async () => {
      const sound = freshDirectory();
      expect((await run(process.execPath, [child, 'fill', sound, 'process'], 10_000)).exit.code).toBe(0);
      const directory = freshDirectory();
      mkdirSync(directory);
      writeFileSync(join(directory, 'data.mdb'), harm(readFileSync(join(sound, 'data.mdb'))));
      const opened = await run(process.execPath, [child, 'scan', directory, 'durable'], 10_000);
      expect(opened.exit, opened.output()).toEqual({ code: 1, signal: null });
      expect(opened.stderr).toContain(join(directory, 'data.mdb'));
      expect(opened.stderr).toContain('from a backup, or move it away');
    });
  }
});
