// Commits per second of the store on disk, by durability and batch size: a batch loads and rewrites records of random
// AORs, as refreshes do.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { seeded } from '../../src/commands/bench/sample-messages.ts';
import type { Durability } from '../../src/location/log/log.ts';
import type { LogStore } from '../../src/location/log/log-store.ts';
import { openLogStore } from '../../src/location/open-log-store.ts';
import { RECORD_HEADER_BYTES, sealRecord, setRecordAorLength } from '../../src/location/record.ts';
import { WriteSet } from '../../src/location/write-set.ts';

const RECORD_BYTES = 500;
const AOR = Buffer.from('subscriber@bench.example.org');

const words = new Uint32Array(4);
const key = new Uint8Array(words.buffer);

/** Spreads the AORs as a hash would. */
function aim(n: number): void {
  words[0] = Math.imul(n + 1, 0x9e3779b1);
  words[1] = n;
  words[2] = Math.imul(n + 1, 0x85ebca77);
  words[3] = 0;
}

function write(writes: WriteSet, n: number): void {
  const at = writes.reserve(RECORD_BYTES);
  const end = at + RECORD_BYTES;
  writes.bytes.fill(n, at, end);
  AOR.copy(writes.bytes, at + RECORD_HEADER_BYTES);
  setRecordAorLength(writes.bytes, at, AOR.length);
  sealRecord(writes.bytes, at, end);
  aim(n);
  writes.put(words[0], words[1], words[2], words[3], RECORD_BYTES);
}

function fill(store: LogStore, writes: WriteSet, aors: number): void {
  for (let n = 0; n < aors; n++) {
    write(writes, n);
    if (!writes.full && n < aors - 1) continue;
    store.commit(writes, Date.now());
    writes.clear();
  }
}

export interface CommitRow {
  readonly durability: Durability;
  readonly batch: number;
  readonly commitsPerSecond: number;
  readonly recordsPerSecond: number;
  /** Of this process, per record: load and commit. */
  readonly cpuUs: number;
}

/** `batch` records per commit, for `ms`. */
function measure(
  store: LogStore,
  writes: WriteSet,
  aors: number,
  batch: number,
  ms: number,
): Omit<CommitRow, 'durability'> {
  const into = new Uint8Array(65_536);
  const random = seeded(batch);
  const cpu = process.cpuUsage();
  const start = performance.now();
  let commits = 0;
  for (; performance.now() - start < ms; commits++) {
    for (let i = 0; i < batch; i++) {
      const n = Math.floor(random() * aors);
      aim(n);
      store.load(key, into);
      write(writes, n);
    }
    store.commit(writes, Date.now());
    writes.clear();
  }
  const seconds = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  return {
    batch,
    commitsPerSecond: commits / seconds,
    recordsPerSecond: (commits * batch) / seconds,
    cpuUs: (user + system) / commits / batch,
  };
}

/**
 * @param ms time for each row
 * @param directory on the disk that is to be measured
 */
export function benchCommits(ms: number, directory = tmpdir(), aors = 100_000): CommitRow[] {
  const rows: CommitRow[] = [];
  for (const durability of ['durable', 'process'] as const) {
    const path = mkdtempSync(join(directory, 'aorta-bench-'));
    const store = openLogStore(join(path, 'shard-0'), durability);
    const writes = new WriteSet();
    try {
      fill(store, writes, aors);
      for (const batch of [1, 16, 64, 256]) rows.push({ durability, ...measure(store, writes, aors, batch, ms) });
    } finally {
      store.close();
      rmSync(path, { recursive: true, force: true });
    }
  }
  return rows;
}
