// Commits per second of the store on disk, by batch size and durability. Run after a build: node bench/commits.js

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { LmdbStore } from '../dist/location/lmdb-store.js';
import { RECORD_HEADER_BYTES, sealRecord, setRecordAorLength } from '../dist/location/record.js';
import { WriteSet } from '../dist/location/write-set.js';

const RECORD_BYTES = 500;
const AOR = Buffer.from('subscriber@bench.example.org');

const words = new Uint32Array(4);
const key = new Uint8Array(words.buffer);

/** Spreads the AORs as a hash would. */
function aim(n) {
  words[0] = Math.imul(n + 1, 0x9e3779b1);
  words[1] = n;
  words[2] = Math.imul(n + 1, 0x85ebca77);
  words[3] = 0;
}

function write(writes, n) {
  const at = writes.reserve(RECORD_BYTES);
  const end = at + RECORD_BYTES;
  writes.bytes.fill(n, at, end);
  AOR.copy(writes.bytes, at + RECORD_HEADER_BYTES);
  setRecordAorLength(writes.bytes, at, AOR.length);
  sealRecord(writes.bytes, at, end);
  aim(n);
  writes.put(words[0], words[1], words[2], words[3], RECORD_BYTES);
}

function fill(store, writes, aors) {
  for (let n = 0; n < aors; n++) {
    write(writes, n);
    if (!writes.full && n < aors - 1) continue;
    store.commit(writes);
    writes.clear();
  }
}

/** Loads and rewrites records of random AORs, `batch` per commit, for `ms`. */
function measure(store, writes, aors, batch, ms) {
  const into = new Uint8Array(65_536);
  const cpu = process.cpuUsage();
  const start = performance.now();
  let commits = 0;
  for (; performance.now() - start < ms; commits++) {
    for (let i = 0; i < batch; i++) {
      const n = Math.floor(Math.random() * aors);
      aim(n);
      store.load(key, into);
      write(writes, n);
    }
    store.commit(writes);
    writes.clear();
  }
  const seconds = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  return {
    batch,
    commits: commits / seconds,
    records: (commits * batch) / seconds,
    cpuUs: (user + system) / commits / batch,
  };
}

/**
 * One row per durability and batch size: commits and records per second, CPU us per record (load and commit).
 * @param {{ aors?: number, ms?: number, directory?: string }} options `directory` decides which disk is measured
 */
export function benchCommits({ aors = 100_000, ms = 1000, directory = tmpdir() } = {}) {
  const rows = [];
  for (const durability of ['durable', 'process']) {
    const path = mkdtempSync(join(directory, 'aorta-bench-'));
    const store = new LmdbStore(join(path, 'shard-0'), durability);
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

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  console.table(
    benchCommits().map(({ durability, batch, commits, records, cpuUs }) => ({
      durability,
      batch,
      'commits/s': Math.round(commits),
      'records/s': Math.round(records),
      'CPU us/record': Number(cpuUs.toFixed(1)),
    })),
  );
}
