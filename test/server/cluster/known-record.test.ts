// The cluster's record in a node's data directory: a full disk keeps nobody from what the newest record is needed for.

import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { ClusterRecord } from '../../../src/server/cluster/cluster-record.ts';
import { KnownRecord } from '../../../src/server/cluster/known-record.ts';
import { fillDisk, mountSmallDisk, unmount } from '../../support/small-disk.ts';

const disk = mountSmallDisk('1m');
if (typeof disk !== 'string') console.warn(`skipped: ${disk.reason}`);

const recordOf = (shards: number): ClusterRecord => ({ format: 1, shards, fingerprint: '', created: '', nodes: {} });

describe.skipIf(typeof disk !== 'string')('the record that a node keeps', () => {
  const directory = disk as string;
  afterAll(() => unmount(directory));

  it('is the newest while the disk is full, which is told once, and is written when there is room', () => {
    const lines: string[] = [];
    const known = new KnownRecord(directory, 'east', (level, event, fields) => {
      lines.push(`${level} ${event} ${JSON.stringify(fields)}`);
    });
    known.keep(recordOf(1));
    const ballast = join(directory, 'ballast');
    fillDisk(ballast);
    for (const shards of [2, 3]) known.keep(recordOf(shards));
    expect(known.record?.shards).toBe(3);
    expect(lines).toEqual([
      expect.stringMatching(
        /^error the cluster's record cannot be kept .*cluster-record\.json.*ENOSPC.*free some space/,
      ),
    ]);
    expect(new KnownRecord(directory, 'east', () => {}).record?.shards).toBe(1);
    rmSync(ballast);
    known.keep(recordOf(3));
    expect(lines.at(-1)).toMatch(/^info the cluster's record is kept again/);
    expect(new KnownRecord(directory, 'east', () => {}).record?.shards).toBe(3);
    expect(readdirSync(directory).filter((name) => name.endsWith('.new'))).toEqual([]);
  });
});
