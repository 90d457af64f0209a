// All bindings of a data directory go into other stores: another number of shards, or another layout on disk. Only records
// are copied; the old stores stay as they are, and who calls decides which of the two counts.

import { AOR_KEY_BYTES, type LocationStore } from '../location/location-store.ts';
import { WriteSet } from '../location/write-set.ts';
import { ownerOf } from './owner.ts';

/** Records between two reports. */
const REPORT_EVERY = 4096;

/** One target and the batch that gathers for it. */
class Target {
  private readonly store: LocationStore;
  private readonly writes = new WriteSet();

  constructor(store: LocationStore) {
    this.store = store;
  }

  put(words: Uint32Array, record: Uint8Array): void {
    const { writes } = this;
    const at = writes.reserve(record.length);
    writes.bytes.set(record, at);
    writes.put(words[0], words[1], words[2], words[3], record.length);
    if (writes.full) this.commit();
  }

  commit(): void {
    this.store.commit(this.writes);
    this.writes.clear();
  }
}

export interface MoveReport {
  readonly records: number;
  /** Damaged ones, left behind. */
  readonly quarantined: number;
}

/**
 * Copies every sound record to the target that owns its AOR. Throws what a store throws, and then the targets are worth
 * nothing. Nothing is promised until the targets have been closed in order.
 * @param progress is told how many records have been copied, now and then and at the end
 */
export function moveBindings(
  from: readonly LocationStore[],
  to: readonly LocationStore[],
  progress: (records: number) => void,
): MoveReport {
  const targets = to.map((store) => new Target(store));
  const words = new Uint32Array(AOR_KEY_BYTES / 4);
  const bytes = new Uint8Array(words.buffer);
  let records = 0;
  let quarantined = 0;
  for (const store of from) {
    const report = store.scan((key, record) => {
      bytes.set(key);
      targets[ownerOf(words[3], targets.length)].put(words, record);
      if (++records % REPORT_EVERY === 0) progress(records);
    });
    quarantined += report.quarantined;
  }
  for (const target of targets) target.commit();
  progress(records);
  return { records, quarantined };
}
