// Reading the whole log: what is found bad is told to the shard, which gives it up, and by aorta doctor --scrub.

import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { damageFindings } from '../../src/commands/doctor/damage-findings.ts';
import { openLogStore } from '../../src/location/open-log-store.ts';
import { WriteSet } from '../../src/location/write-set.ts';
import { openDataDirectory } from '../../src/server/data/data-directory.ts';
import { scrub } from '../../src/threads/checkpoint/scrubber.ts';
import { putRecord, textOf } from '../location/store-records.ts';

const base = mkdtempSync(join(tmpdir(), 'aorta-scrub-'));

afterAll(() => rmSync(base, { recursive: true, force: true }));

function fill(directory: string, from: number, end: number): void {
  const store = openLogStore(directory, 'process');
  const writes = new WriteSet();
  for (let n = from; n < end; n++) putRecord(writes, n, `aor-${n}/`);
  store.commit(writes, 1);
  store.close();
}

function damage(directory: string, n: number): void {
  const file = join(directory, 'log', '0000000000.mdb');
  const at = readFileSync(file).indexOf(`aor-${n}/`);
  const fd = openSync(file, 'r+');
  writeSync(fd, '#', at + 20);
  closeSync(fd);
}

describe('a scrub', () => {
  it('R3261-10.3-33 finds a flipped bit, and the shard gives up that record and no other', async () => {
    const directory = join(base, 'shard');
    fill(directory, 0, 50);
    fill(directory, 50, 60);
    const store = openLogStore(directory, 'process');
    const parts = store.share(() => {});
    const subject = {
      directory,
      suspects: parts.suspects,
      newest: () => 1000,
      chunkCount: () => parts.chunks.length,
      rows: (chunk: number) => parts.chunks[chunk],
      ended: () => false,
    };
    const rest = async (): Promise<void> => {};
    expect(await scrub(subject, rest)).toMatchObject({ damaged: 0, records: 0 });
    damage(directory, 7);
    const report = await scrub(subject, rest);
    expect(report).toMatchObject({ damaged: 1, records: 1 });
    expect(report.bytes).toBeGreaterThan(10_000);
    expect(store.aors).toBe(60);
    store.expire(1, 100, { expire: () => expect.unreachable() });
    expect(store.aors).toBe(59);
    const there = Array.from({ length: 60 }, (_, n) => n).filter((n) => textOf(store, n) !== undefined);
    expect(there).toEqual(Array.from({ length: 60 }, (_, n) => n).filter((n) => n !== 7));
    store.close();
  });

  it('by aorta doctor names the file and the place, and what was set aside before', async () => {
    const data = join(base, 'data');
    openDataDirectory(data, { shards: 1 }).close();
    const shard = join(data, 'shard-0');
    mkdirSync(shard, { recursive: true });
    fill(shard, 0, 20);
    expect(await damageFindings(data, true)).toEqual([expect.objectContaining({ what: 'log', verdict: 'ok' })]);
    damage(shard, 3);
    const bad = await damageFindings(data, true);
    expect(bad).toEqual([expect.objectContaining({ what: 'log', verdict: 'bad' })]);
    expect(bad[0].detail).toMatch(/^1 damaged places \(\S+0000000000\.mdb at \d+\)/);
    fill(shard, 20, 21); // a start sets it aside
    const aside = (await damageFindings(data, false)).map(({ what, verdict }) => [what, verdict]);
    expect(aside).toEqual([['set aside', 'warn']]);
  });
});
