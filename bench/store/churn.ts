// Churn in the store itself, without a network: 60% refreshes, 20% new bindings, 20% removals, in batches. CPU per operation and
// the size of the files, by turnover: as many operations as there are bindings.

import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { seeded } from '../../src/commands/bench/sample-messages.ts';
import type { Durability } from '../../src/location/log/log.ts';
import type { LogStore } from '../../src/location/log/log-store.ts';
import { openLogStore } from '../../src/location/open-log-store.ts';
import { RECORD_HEADER_BYTES, sealRecord, setRecordAorLength } from '../../src/location/record.ts';
import { RowCopy } from '../../src/location/table/binding-row.ts';
import { WriteSet } from '../../src/location/write-set.ts';
import { diskBytes } from './aorta-server.ts';
import { DeviceBytes } from './device.ts';

const RECORD_BYTES = 340;
const BATCH = 256;
/** Far enough that nothing runs out. */
const EXPIRES_AT = Date.UTC(2100, 0, 1);

export interface Turnover {
  readonly cpuUs: number;
  readonly perSecond: number;
  readonly diskBytes: number;
  readonly anonymousBytes: number;
}

export interface ChurnOptions {
  readonly directory: string;
  readonly bindings: number;
  readonly turnovers: number;
  readonly durability: Durability;
  readonly tell: (text: string) => void;
}

/** Names are numbers; those that live are first, first + 1, …: the oldest goes, the next comes. */
export function measureChurn({ directory, bindings, turnovers, durability, tell }: ChurnOptions): Turnover[] {
  const path = mkdtempSync(join(directory, 'aorta-churn-'));
  const store = openLogStore(join(path, 'shard-0'), durability);
  const churn = new Churn(store);
  const result: Turnover[] = [];
  try {
    churn.grow(bindings);
    for (let n = 1; n <= turnovers; n++) {
      const cpu = process.cpuUsage();
      const began = performance.now();
      churn.turn(bindings);
      const { user, system } = process.cpuUsage(cpu);
      const turnover = {
        cpuUs: (user + system) / bindings,
        perSecond: (bindings * 1000) / (performance.now() - began),
        diskBytes: diskBytes(path),
        anonymousBytes: process.memoryUsage().rss,
      };
      result.push(turnover);
      tell(
        `turnover ${n}: ${turnover.cpuUs.toFixed(2)} us per operation, ${Math.round(turnover.perSecond)}/s, ` +
          `${(turnover.diskBytes / 2 ** 20).toFixed(0)} MiB on disk`,
      );
    }
    return result;
  } finally {
    store.close();
    rmSync(path, { recursive: true, force: true });
  }
}

/** Bytes that reach the device per refresh where each commit has `batch` of them, without a network; by round. */
export async function measureBatchBytes(
  directory: string,
  bindings: number,
  batch: number,
  rounds: number,
): Promise<number[]> {
  const device = new DeviceBytes(directory);
  const path = mkdtempSync(join(directory, 'aorta-bytes-'));
  const store = openLogStore(join(path, 'shard-0'), 'durable');
  const churn = new Churn(store, batch);
  const found: number[] = [];
  try {
    churn.grow(bindings);
    for (let round = 0; round < rounds; round++) {
      await device.baseline();
      found.push((await device.during(() => churn.refreshAll(bindings))).bytes / bindings);
    }
    return found;
  } finally {
    store.close();
    rmSync(path, { recursive: true, force: true });
  }
}

class Churn {
  private readonly store: LogStore;
  private readonly batch: number;
  private readonly writes = new WriteSet();
  private readonly random = seeded(1);
  private readonly row = new RowCopy();
  private first = 0;
  private next = 0;
  private cseq = 0;

  constructor(store: LogStore, batch = BATCH) {
    this.store = store;
    this.batch = batch;
  }

  grow(bindings: number): void {
    while (this.next < bindings) {
      this.add();
      if (this.writes.count === this.batch) this.commit();
    }
    this.commit();
  }

  refreshAll(times: number): void {
    for (let i = 0; i < times; i++) {
      this.refresh();
      if (this.writes.count === this.batch) this.commit();
    }
    this.commit();
  }

  turn(operations: number): void {
    for (let i = 0; i < operations; i++) {
      const kind = i % 5;
      if (kind === 0) this.add();
      else if (kind === 1) this.remove();
      else this.refresh();
      if (this.writes.count === this.batch) this.commit();
    }
    this.commit();
  }

  private add(): void {
    const { writes, row } = this;
    const [k0, k1, k2, k3] = keyWords(this.next);
    const at = writes.reserve(RECORD_BYTES);
    writes.bytes.fill(this.next & 0xff, at + RECORD_HEADER_BYTES, at + RECORD_BYTES);
    setRecordAorLength(writes.bytes, at, 32);
    sealRecord(writes.bytes, at, at + RECORD_BYTES);
    const entry = writes.put(k0, k1, k2, k3, RECORD_BYTES);
    row.identityLow = 1;
    row.expiresAt = EXPIRES_AT;
    row.grantedS = 3600;
    row.cseq = this.cseq++;
    writes.describePlain(entry, row);
    this.next++;
  }

  private remove(): void {
    const [k0, k1, k2, k3] = keyWords(this.first++);
    this.writes.put(k0, k1, k2, k3, 0);
  }

  private refresh(): void {
    const { store, writes, row } = this;
    const [k0, k1, k2, k3] = keyWords(this.first + Math.floor(this.random() * (this.next - this.first)));
    if (writes.find(k0, k1, k2, k3) >= 0 || !store.find(k0, k1, k2, k3, row)) return;
    row.expiresAt++;
    row.cseq = this.cseq++;
    writes.refresh(k0, k1, k2, k3, row);
  }

  private commit(): void {
    this.store.commit(this.writes, Date.now());
    this.writes.clear();
  }
}

/** Spreads names as a hash would. */
function keyWords(n: number): [number, number, number, number] {
  const mixed = Math.imul(n ^ (n >>> 15), 0x2c1b3c6d);
  return [Math.imul(n + 1, 0x9e3779b1) >>> 0, n, Math.imul(mixed ^ (mixed >>> 12), 0x297a2d39) >>> 0, 7];
}
