// What a request allocates: the heap before and after many of them, through a shard with a real store. The limits are about twice of what it
// is today; one object more for each message is 24 bytes and up.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { BATCH, Driver } from '../../bench/parts/driver.ts';
import { openLogStore } from '../../src/location/open-log-store.ts';

const AORS = 64 * BATCH;
const SAMPLES = 40;
const BATCHES = 8;
const directory = mkdtempSync(join(tmpdir(), 'aorta-allocation-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** Bytes that a request allocates, by the median of many samples; one with a collection in it does not count. */
function bytesEach(batch: () => void): number {
  for (let n = 0; n < 500; n++) batch(); // compiled
  const grown: number[] = [];
  while (grown.length < SAMPLES) {
    const before = process.memoryUsage().heapUsed;
    for (let n = 0; n < BATCHES; n++) batch();
    const more = process.memoryUsage().heapUsed - before;
    if (more >= 0) grown.push(more / (BATCHES * BATCH));
  }
  grown.sort((a, b) => a - b);
  return grown[SAMPLES >> 1];
}

describe('a request allocates next to nothing', () => {
  const store = openLogStore(join(directory, 'shard-0'), 'process');
  const driver = new Driver(store);
  afterAll(() => store.close());
  let next = 0;
  const register = () => {
    driver.batch(next, 1, Number.MAX_SAFE_INTEGER);
    next += BATCH;
  };
  let at = 0;
  const refresh = () => {
    driver.batch(at, 1, AORS);
    at = (at + BATCH) % AORS;
  };

  it('a first registration', () => {
    const bytes = bytesEach(register);
    driver.check();
    expect(bytes).toBeLessThan(500);
  });

  it('a refresh', () => {
    const bytes = bytesEach(refresh);
    driver.check();
    expect(bytes).toBeLessThan(130);
  });
});
