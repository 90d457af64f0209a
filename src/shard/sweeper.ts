// Expiry of one shard: watches every AOR of the store and takes bindings that have run out from their records, a bounded
// number per batch, as writes of that batch. The wheel itself is the expiry index's.
// @hot

import { ExpiryIndex, type ExpiryVisitor } from '../location/expiry-index.ts';
import type { LocationStore, ScanReport } from '../location/location-store.ts';
import { RECORD_HEADER_BYTES, recordAorLength } from '../location/record.ts';
import type { WriteSet } from '../location/write-set.ts';
import { expiresAtOf, imageLength } from '../registrar/binding.ts';
import { CHANGE_EXPIRED, type Changes } from '../registrar/changes.ts';
import { copyLiveImages, countImages, firstExpiry } from '../registrar/images.ts';
import type { Outbox } from '../registrar/outbox.ts';
import type { AorState } from './aor-state.ts';
import type { BatchTally } from './batch-tally.ts';
import { COUNTER } from './counters.ts';
import { LAG_BOUNDS, LAG_ROW, type Measures } from './measures.ts';

/** AORs looked at per batch: bounds the batch, and the write set. */
const AORS_PER_BATCH = 128;
/** How soon an AOR is looked at again after a load or a commit that failed. */
const RETRY_MS = 1000;

export class Sweeper implements ExpiryVisitor {
  private readonly index = new ExpiryIndex();
  private readonly state: AorState;
  private readonly out: Outbox;
  private readonly tally: BatchTally;
  private readonly measures: Measures;
  /** Where expired bindings are told, while somebody listens. */
  changes: Changes | null = null;

  constructor(state: AorState, out: Outbox, tally: BatchTally, measures: Measures) {
    this.state = state;
    this.out = out;
    this.tally = tally;
    this.measures = measures;
  }

  /** Takes in every record of the store, whatever has run out meanwhile; counts bindings and AORs. @cold */
  open(store: LocationStore, counters: Float64Array): ScanReport {
    const key = new Uint32Array(4);
    const keyBytes = new Uint8Array(key.buffer);
    return store.scan((recordKey, record) => {
      keyBytes.set(recordKey);
      const at = RECORD_HEADER_BYTES + recordAorLength(record, 0);
      const bindings = countImages(record, at, record.length);
      if (bindings <= 0) return;
      counters[COUNTER.bindings] += bindings;
      counters[COUNTER.aors]++;
      this.index.track(key[0], key[1], key[2], key[3], firstExpiry(record, at, record.length));
    });
  }

  /** Bindings that have run out join the batch's writes; the rest at the next call. */
  sweep(now: number): void {
    this.out.now = now;
    this.index.advance(now, AORS_PER_BATCH, this);
  }

  /** Milliseconds until `sweep` has work, 0 when it has, -1 when there is nothing to wait for. */
  msToNextTick(now: number): number {
    return this.index.msToNextTick(now);
  }

  /** For the index: drops what has run out of one AOR's record; returns when it next needs a look, 0 for never. */
  expire(k0: number, k1: number, k2: number, k3: number): number {
    const { out, state } = this;
    state.key[0] = k0;
    state.key[1] = k1;
    state.key[2] = k2;
    state.key[3] = k3;
    state.load(out);
    if (state.failure !== null) return out.now + RETRY_MS;
    const before = countImages(out.state, out.stateAt, out.stateEnd);
    if (before <= 0) return 0;
    state.startRecordLikeLoaded(out);
    const images = out.record.at;
    const after = copyLiveImages(out.record, out.state, out.stateAt, out.stateEnd, out.now);
    if (after === before) return firstExpiry(out.state, out.stateAt, out.stateEnd);
    state.put(out, after);
    if (this.changes !== null) this.report(this.changes);
    this.tally.swept(before, after);
    const lagMs = out.now - firstExpiry(out.state, out.stateAt, out.stateEnd);
    this.measures.observe(LAG_ROW, LAG_BOUNDS, lagMs / 1000);
    return firstExpiry(out.record.bytes, images, out.record.at);
  }

  private report(changes: Changes): void {
    const { out, state } = this;
    const aorAt = state.loadedAorAt;
    for (let at = out.stateAt; at < out.stateEnd; at += imageLength(out.state, at))
      if (expiresAtOf(out.state, at) <= out.now)
        changes.add(CHANGE_EXPIRED, out.state, aorAt, out.stateAt, out.state, at, out.now);
  }

  /** The batch's writes hold: every AOR written gets its look when its first binding runs out. */
  committed(writes: WriteSet): void {
    const words = new Uint32Array(writes.keys.buffer);
    for (let entry = 0, w = 0; entry < writes.count; entry++, w += 4) {
      const at = writes.at[entry];
      if (writes.end[entry] === at) {
        this.index.untrack(words[w], words[w + 1], words[w + 2], words[w + 3]);
        continue;
      }
      const images = at + RECORD_HEADER_BYTES + recordAorLength(writes.bytes, at);
      const first = firstExpiry(writes.bytes, images, writes.end[entry]);
      this.index.track(words[w], words[w + 1], words[w + 2], words[w + 3], first);
    }
  }

  /** They do not: the store still has what it had, so each is looked at again soon. */
  failed(writes: WriteSet, now: number): void {
    const words = new Uint32Array(writes.keys.buffer);
    for (let w = 0; w < writes.count * 4; w += 4)
      this.index.track(words[w], words[w + 1], words[w + 2], words[w + 3], now + RETRY_MS);
  }
}
