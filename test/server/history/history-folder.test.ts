// The history on disk: what stands in it, after restarts and damage, too, and that it stays within its bytes.

import { appendFileSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { CHANGE_REGISTERED } from '../../../src/core/binding/changes.ts';
import { HistoryFolder } from '../../../src/server/history/history-folder.ts';
import * as history from '../../../src/shard/observe/history.ts';
import { aorAt, timeAt } from '../../../src/shard/observe/history-reader.ts';
import { removeDirectories, temporaryDirectory } from '../../support/aorta-process.ts';
import { fillDisk, mountSmallDisk, unmount } from '../../support/small-disk.ts';

/** Keys that begin alike, so that the rest of the key has to be looked at. */
const keyOf = (aor: number) => Uint32Array.of(aor >> 2, aor, 0, 7);

/** An entry as a shard writes it: some 90 bytes. */
function entry(aor: number, at: number): Buffer {
  const name = `user-${aor}@example.com`;
  const bytes = Buffer.alloc((history.ENTRY_TEXTS + name.length + 7) & ~7);
  bytes.writeUInt32LE(bytes.length, 0);
  bytes[history.ENTRY_KIND] = CHANGE_REGISTERED;
  bytes[history.ENTRY_AOR_LENGTH] = name.length;
  bytes.writeDoubleLE(at, history.ENTRY_AT);
  keyOf(aor).forEach((word, i) => {
    bytes.writeUInt32LE(word, history.ENTRY_KEY + 4 * i);
  });
  bytes.write(name, history.ENTRY_TEXTS);
  return bytes;
}

async function told(entries: AsyncIterable<Buffer>): Promise<[string, number][]> {
  const found: [string, number][] = [];
  for await (const each of entries) found.push([aorAt(each, 0), timeAt(each, 0)]);
  return found;
}

const KEEP = 1 << 16;

/** 20 AORs in turn, at the times 0, 1, 2 …: many segments. */
async function filled(folder: string, count: number): Promise<HistoryFolder> {
  const kept = await HistoryFolder.open(folder, KEEP);
  for (let at = 0; at < count; at++) await kept.append(entry(at % 20, at));
  return kept;
}

const sizeOf = (folder: string) =>
  readdirSync(folder)
    .filter((name) => name.endsWith('.changes'))
    .reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);

describe('the history on disk', () => {
  afterAll(removeDirectories);

  it('has the newest of an AOR and of a while, newest first, within its bytes', async () => {
    const folder = temporaryDirectory();
    const kept = await filled(folder, 2000);
    const ofOne = await told(kept.ofKey(keyOf(3)));
    const [oldest] = ofOne.at(-1) === undefined ? expect.unreachable() : [(ofOne.at(-1) as [string, number])[1]];
    expect(oldest).toBeGreaterThan(900); // the older half has made room
    const times = Array.from({ length: (1983 - oldest) / 20 + 1 }, (_, i) => 1983 - 20 * i);
    expect(ofOne).toEqual(times.map((at) => ['user-3@example.com', at]));
    expect(await told(kept.within({ since: 1500, until: 1503 }))).toEqual(
      [1503, 1502, 1501, 1500].map((at) => [`user-${at % 20}@example.com`, at]),
    );
    expect(sizeOf(folder)).toBeLessThanOrEqual(KEEP);
    expect(sizeOf(folder)).toBeGreaterThan(KEEP / 2);
    await kept.close();
  });

  it('goes on where a killed process has left half an entry and no index', async () => {
    const folder = temporaryDirectory();
    const before = await filled(folder, 50);
    appendFileSync(join(folder, '0000000001.changes'), entry(1, 50).subarray(0, 40));
    const after = await HistoryFolder.open(folder, KEEP); // the one before was never closed
    await after.append(entry(7, 51));
    expect(await told(after.ofKey(keyOf(7)))).toEqual([51, 47, 27, 7].map((at) => ['user-7@example.com', at]));
    expect((await told(after.within({ since: 48, until: 99 }))).map(([, at]) => at)).toEqual([51, 49, 48]);
    await after.close();
    await before.close();
  });

  it('makes a damaged or missing index anew, and passes over what is no entry', async () => {
    const folder = temporaryDirectory();
    await (await filled(folder, 400)).close();
    writeFileSync(join(folder, '0000000001.index'), Buffer.alloc(64));
    rmSync(join(folder, '0000000002.index'));
    truncateSync(join(folder, '0000000003.changes'), 1000);
    writeFileSync(join(folder, '0000000009.changes'), 'no segment');
    const kept = await HistoryFolder.open(folder, KEEP);
    const times = (await told(kept.ofKey(keyOf(0)))).map(([, at]) => at);
    expect(times.slice(-10)).toEqual([180, 160, 140, 120, 100, 80, 60, 40, 20, 0]);
    expect(times).toEqual([...new Set(times)].sort((a, b) => b - a));
    expect(readdirSync(folder)).not.toContain('0000000009.changes');
    await kept.append(entry(0, 400));
    expect((await told(kept.ofKey(keyOf(0))))[0]).toEqual(['user-0@example.com', 400]);
    await kept.close();
  });
});

const disk = mountSmallDisk('1m');
const title = typeof disk === 'string' ? 'the history on a full disk' : `a full disk, skipped: ${disk.reason}`;

describe.skipIf(typeof disk !== 'string')(title, () => {
  const place = String(disk);
  const folder = join(place, 'history');
  const ballast = join(place, 'ballast');
  /** No multiple of a page: the last page of a full segment has room. */
  const keep = 70_000;
  const times = async (kept: HistoryFolder) => {
    const within = (await told(kept.within({ since: 0, until: 9999 }))).map(([, at]) => at);
    expect((await told(kept.ofKey(keyOf(1)))).map(([, at]) => at)).toEqual(within);
    return within;
  };
  /** The same after a restart, of a process that was killed. */
  const everywhere = async (kept: HistoryFolder) => {
    const now = await times(kept);
    const after = await HistoryFolder.open(folder, keep);
    expect(await times(after)).toEqual(now);
    await after.close();
    return now;
  };

  afterEach(() => {
    for (const name of readdirSync(place)) rmSync(join(place, name), { recursive: true });
  });
  afterAll(() => unmount(place));

  it('goes on behind what was kept where entries were written in part', async () => {
    const kept = await HistoryFolder.open(folder, keep);
    await kept.append(entry(1, 1));
    fillDisk(ballast);
    const many = Buffer.concat(Array.from({ length: 100 }, (_, i) => entry(1, 100 + i)));
    await expect(kept.append(many)).rejects.toThrow('ENOSPC');
    rmSync(ballast);
    await kept.append(entry(1, 2));
    await kept.append(entry(1, 3));
    expect(await everywhere(kept)).toEqual([3, 2, 1]);
  });

  it('begins a segment again where its head was not written', async () => {
    const kept = await HistoryFolder.open(folder, keep);
    fillDisk(ballast);
    await expect(kept.append(entry(1, 1))).rejects.toThrow('ENOSPC');
    await expect(kept.append(entry(1, 1))).rejects.toThrow('ENOSPC');
    rmSync(ballast);
    await kept.append(entry(1, 2));
    expect(await everywhere(kept)).toEqual([2]);
  });

  it('hides nothing where the index of a full segment was not written', async () => {
    const kept = await HistoryFolder.open(folder, keep);
    const each = entry(1, 1).length;
    const most = Math.floor((keep / 4 - 16) / each);
    await kept.append(Buffer.concat(Array.from({ length: most }, (_, i) => entry(1, 1 + i))));
    fillDisk(ballast);
    const failures: unknown[] = [];
    for (let at = most + 1; at <= most + 2; at++)
      await kept.append(entry(1, at)).catch((error: unknown) => failures.push(error));
    expect(String(failures[0])).toContain('ENOSPC');
    rmSync(ballast);
    await kept.append(entry(1, 9000));
    const [newest, ...before] = await everywhere(kept);
    expect(newest).toBe(9000);
    expect(before.length).toBe(most + 2 - failures.length);
  });
});
