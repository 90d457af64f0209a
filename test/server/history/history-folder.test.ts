// The history on disk: what stands in it, after restarts and damage, too, and that it stays within its bytes.

import { appendFileSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { CHANGE_REGISTERED } from '../../../src/core/binding/changes.ts';
import { HistoryFolder } from '../../../src/server/history/history-folder.ts';
import * as history from '../../../src/shard/observe/history.ts';
import { aorAt, timeAt } from '../../../src/shard/observe/history-reader.ts';
import { removeDirectories, temporaryDirectory } from '../../support/aorta-process.ts';

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
