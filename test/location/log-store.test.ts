// The store on disk: the contract, and what only a disk can show: order, kill -9, full disks, garbage.

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { noCheckpoint } from '../../src/location/checkpoint/checkpoint.ts';
import { LogFiles } from '../../src/location/log/log-files.ts';
import { LogReader } from '../../src/location/log/log-reader.ts';
import { LogStore } from '../../src/location/log/log-store.ts';
import { openLogStore } from '../../src/location/open-log-store.ts';
import type { TableNews } from '../../src/location/table/binding-table.ts';
import { bundle } from '../support/bundle.ts';
import { Child, killAll, run } from '../support/child-process.ts';
import { SimulatedDisk, SimulatedLog } from '../support/simulated-log.ts';
import { storeConformance } from './store-conformance.ts';
import { textOf } from './store-records.ts';

const base = mkdtempSync(join(tmpdir(), 'aorta-store-'));
let directories = 0;
let child: string;

function freshDirectory(): string {
  return join(base, `shard-${directories++}`);
}

async function have(program: string): Promise<boolean> {
  return (await run('sh', ['-c', `command -v ${program}`], 5000)).exit.code === 0;
}

function skip(context: { skip(note: string): void }, program: string): void {
  console.warn(`skipped: ${program} is not there`);
  context.skip(`${program} is not there`);
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
  const open = (directory: string): LogStore => {
    const store = openLogStore(directory, durability);
    directoryOf.set(store, directory);
    return store;
  };
  storeConformance(`log-store (${durability})`, {
    open: () => open(freshDirectory()),
    reader: (store) => {
      const news: TableNews[] = [];
      const parts = (store as LogStore).share((item) => news.push(item));
      return new LogReader(new LogFiles(directoryOf.get(store) ?? ''), parts, () => news.shift());
    },
    reopen: async (store) => {
      const directory = directoryOf.get(store) ?? '';
      store.close();
      return open(directory);
    },
  });

  describe(`log-store (${durability})`, () => {
    it('has everything it acknowledged after kill -9', async () => {
      const directory = freshDirectory();
      for (let round = 0; round < 3; round++) {
        const writer = new Child(process.execPath, [child, 'acknowledge', directory, durability]);
        await writer.until(round === 1 ? /^3\n/m : /^200\n/m, 15_000);
        writer.signal('SIGKILL');
        await writer.exited;
        const acknowledged = Number(writer.stdout.trimEnd().split('\n').at(-1));
        const store = openLogStore(directory, durability);
        for (let n = 0; n <= acknowledged; n++) {
          expect(textOf(store, n)?.toString('latin1').startsWith(`aor-${n}`)).toBe(true);
        }
        expect(store.scan(() => {}).quarantined).toBe(0);
        store.close();
      }
    });

    it.for(['trace', 'trace-passing'])(
      'syncs as often as it must before a commit returns (%s)',
      async (mode, context) => {
        if (process.platform !== 'linux' || !(await have('strace'))) return skip(context, 'strace');
        const directory = freshDirectory();
        const log = `${directory}.strace`;
        const calls = 'trace=fdatasync,fsync,msync,sync_file_range,write,pwrite64,pwritev,openat';
        const args = ['-f', '-e', calls, '-s', '16', '-o', log, process.execPath, child, mode, directory, durability];
        expect((await run('strace', args, 30_000)).exit.code).toBe(0);
        const commits = readFileSync(log, 'latin1')
          .split(/write\(1, "before\\n".*\n/)
          .slice(1);
        expect(commits.length).toBe(10);
        const syncs = commits.map((text) => {
          const commit = text.slice(0, text.search(/write\(1, "after\\n"/));
          expect(commit).toMatch(/pwrite/);
          return (commit.match(/(fdatasync|fsync|msync)\(/g) ?? []).length;
        });
        // What only runs out (not lasting) waits for the next commit that lasts.
        const passing = mode === 'trace-passing';
        expect(syncs).toEqual(syncs.map((_, n) => (durability === 'process' || (passing && n < 9) ? 0 : 1)));
      },
    );
  });
}

// The same on a log in memory, whose generations are dropped every few commits.
{
  const diskOf = new Map<unknown, SimulatedDisk>();
  const open = (disk: SimulatedDisk): LogStore => {
    const store = new LogStore(new SimulatedLog(disk, 1 << 18), noCheckpoint);
    diskOf.set(store, disk);
    return store;
  };
  storeConformance('log-store (simulated)', {
    open: () => open(new SimulatedDisk()),
    reader: (store) => {
      const news: TableNews[] = [];
      const parts = (store as LogStore).share((item) => news.push(item));
      return new LogReader((store as LogStore).log, parts, () => news.shift());
    },
    reopen: async (store) => {
      store.close();
      return open(diskOf.get(store) ?? new SimulatedDisk());
    },
  });
}

describe('log-store', () => {
  it('applies nothing when the disk is full, and goes on when there is room again', async (context) => {
    if (process.platform !== 'linux' || !(await have('prlimit'))) return skip(context, 'prlimit');
    const command = `ulimit -S -f 4000; exec "$0" "$@"`;
    const args = ['-c', command, process.execPath, child, 'disk-full', freshDirectory(), 'durable'];
    const starved = await run('bash', args, 30_000);
    expect(starved.exit, starved.output()).toEqual({ code: 0, signal: null });
    const result = JSON.parse(starved.stdout);
    expect(result.failure).toMatch(/too large|no space|input\/output/i);
    expect(result).toMatchObject({ applied: 0, again: 5, kept: result.committed, records: result.committed + 50 });
  });
});
