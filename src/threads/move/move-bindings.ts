// Moves all bindings of a data directory into other stores: another number of shards, or another layout on disk. Only
// records are copied; the old stores stay as they are, and the caller decides which of the two count.

import { Identity } from '../../core/binding/identity.ts';
import { AOR_KEY_BYTES } from '../../location/aor-key-size.ts';
import type { LocationStore, ScanReport } from '../../location/location-store.ts';
import { WriteSet } from '../../location/write-set.ts';
import { RecordDescriber } from '../../shard/describe-record.ts';
import { shardOf } from '../../shard/shard-of.ts';

/** Records between two progress reports. */
const REPORT_EVERY = 4096;

/** A source of records. */
export interface RecordSource {
  /** Number of records, an estimate. */
  readonly aors: number;
  /** Visits every sound record; key and record are valid only during the call. */
  scan(visit: (key: Uint8Array, record: Uint8Array) => void): ScanReport;
}

/** One target store, and the batch gathered for it. */
class Target {
  private readonly store: LocationStore;
  private readonly describer: RecordDescriber;
  private readonly writes = new WriteSet();
  private readonly now: () => number;

  constructor(store: LocationStore, describer: RecordDescriber, now: () => number) {
    this.store = store;
    this.describer = describer;
    this.now = now;
  }

  put(key: Uint32Array, record: Uint8Array): void {
    const { writes, store } = this;
    if (writes.count > 0 && writes.length + record.length > store.batchBytes) this.commit();
    const at = writes.reserve(record.length);
    writes.bytes.set(record, at);
    const entry = writes.put(key[0], key[1], key[2], key[3], record.length);
    this.describer.describe(writes, entry);
    if (writes.full) this.commit();
  }

  commit(): void {
    this.store.commit(this.writes, this.now());
    this.writes.clear();
  }
}

export interface MoveReport {
  readonly records: number;
  /** Damaged records, left behind. */
  readonly quarantined: number;
}

/**
 * Copies every sound record to the target that owns its AOR. Throws a store's error, and the targets are then worthless.
 * Nothing is promised until the targets have been closed in order.
 * @param secret of the data directory, 32 bytes
 * @param progress is told how many records have been copied, now and then and at the end
 * @param now epoch ms
 */
export function moveBindings(
  from: readonly RecordSource[],
  to: readonly LocationStore[],
  secret: Uint8Array,
  progress: (records: number) => void,
  now: () => number = Date.now,
): MoveReport {
  const describer = new RecordDescriber(new Identity(secret.subarray(0, 16)));
  const targets = to.map((store) => new Target(store, describer, now));
  const words = new Uint32Array(AOR_KEY_BYTES / 4);
  const bytes = new Uint8Array(words.buffer);
  let records = 0;
  let quarantined = 0;
  for (const source of from) {
    const report = source.scan((key, record) => {
      bytes.set(key);
      targets[shardOf(words[3], targets.length)].put(words, record);
      if (++records % REPORT_EVERY === 0) progress(records);
    });
    quarantined += report.quarantined;
  }
  for (const target of targets) target.commit();
  progress(records);
  return { records, quarantined };
}
