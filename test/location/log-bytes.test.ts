// What a log's bytes are without a cluster: the same as before there were clusters.

import { createHash } from 'node:crypto';
import { expect, it } from 'vitest';
import { noCheckpoint } from '../../src/location/checkpoint/checkpoint.ts';
import { LogStore } from '../../src/location/log/log-store.ts';
import { WriteSet } from '../../src/location/write-set.ts';
import { SimulatedDisk, SimulatedLog } from '../support/simulated-log.ts';
import { keyWords, putRecord, sealAs } from './store-records.ts';

/** Its records were of version 3. */
const seal = (bytes: Uint8Array, at: number, end: number) => sealAs(3, bytes.subarray(at, end));

/** Of what the version before the first with clusters wrote. */
const BEFORE = '31021a1faa063d35f0e9fb1c20e01dec74464030947dd1f600b2190ba5b36670';

it('a node alone writes what it wrote before there were clusters, byte for byte', () => {
  const disk = new SimulatedDisk();
  const store = new LogStore(new SimulatedLog(disk, 1 << 14), noCheckpoint);
  const writes = new WriteSet();
  for (let batch = 0; batch < 300; batch++) {
    writes.clear();
    for (let i = 0; i < 5; i++) putRecord(writes, (batch * 7 + i * 3) % 90, `r${batch} ${i}`, 100, seal);
    writes.put(...keyWords((batch * 11) % 90), 0);
    store.commit(writes, 1_000_000 + batch);
  }
  const hash = createHash('sha256');
  for (const [number, bytes] of disk.generations) hash.update(String(number)).update(bytes);
  expect([hash.digest('hex'), store.aors]).toEqual([BEFORE, 79]);
});
