// The AOR under decision: its key, its bindings as the batch sees them (working set first, then the store), and its new
// record on the way into the working set. Which bindings there shall be is the registrar's decision.
// @hot

import type { LocationStore } from '../location/location-store.ts';
import { RECORD_HEADER_BYTES, recordAorLength, sealRecord, setRecordAorLength } from '../location/record.ts';
import type { WriteSet } from '../location/write-set.ts';
import { countImages } from '../registrar/images.ts';
import { type Outbox, RECORD_BYTES_MAX } from '../registrar/outbox.ts';
import { SipHash } from '../sip/siphash.ts';
import { slab, table } from '../sip/slab.ts';
import { canonicalAor } from '../sip/uri.ts';

/** Room for a canonical AOR; longer ones are nobody's. */
const AOR_BYTES = 1024;

export class AorState {
  /** The canonical AOR of the request, aorLength bytes; -1 where it names none. */
  readonly aor = new Uint8Array(AOR_BYTES);
  aorLength = -1;
  /** Its keyed hash. */
  readonly key = new Uint32Array(4);
  /** The bindings loaded stand in the working set, so that what is answered from them hangs on the commit. */
  uncommitted = false;
  /** What the store threw at the last load, or null: then nothing may be written over the record either. */
  failure: unknown = null;
  private readonly store: LocationStore;
  private readonly writes: WriteSet;
  private readonly hash: SipHash;
  private readonly keyBytes = new Uint8Array(this.key.buffer);
  private readonly loaded = new Uint8Array(RECORD_BYTES_MAX);
  private loadedAt = 0;
  private recordAt = 0;

  /** @param hashKey 16 secret bytes */
  constructor(store: LocationStore, writes: WriteSet, hashKey: Uint8Array) {
    this.store = store;
    this.writes = writes;
    this.hash = new SipHash(hashKey);
  }

  /** Takes the AOR of the URI whose record starts at `uri` in the span table. */
  take(uri: number): void {
    this.aorLength = canonicalAor(slab, table, uri, this.aor);
    if (this.aorLength < 0) {
      this.key.fill(0); // nobody's, so that nothing is put down to the AOR before
      return;
    }
    const hash = this.hash;
    hash.begin();
    hash.span(this.aor, 0, this.aorLength);
    hash.end();
    this.key.set(hash.out);
  }

  /** Brings the AOR's images into the outbox, and has it write new ones where the working set has room for them. */
  load(out: Outbox): void {
    const { writes, key } = this;
    this.recordAt = writes.reserve(RECORD_BYTES_MAX); // first: it may move the working set's bytes
    const entry = writes.find(key[0], key[1], key[2], key[3]);
    this.uncommitted = entry >= 0;
    this.failure = null;
    out.state = entry >= 0 ? writes.bytes : this.loaded;
    this.loadedAt = entry >= 0 ? writes.at[entry] : 0;
    out.stateEnd = entry >= 0 ? writes.end[entry] : this.loadRecord();
    if (out.stateEnd <= this.loadedAt) {
      out.stateAt = 0;
      out.stateEnd = 0;
      return;
    }
    out.stateAt = this.loadedAt + RECORD_HEADER_BYTES + recordAorLength(out.state, this.loadedAt);
    // A sound checksum over images that are none: written by a faulty program; worth no more than a damaged record.
    if (entry < 0 && countImages(out.state, out.stateAt, out.stateEnd) < 0) out.stateEnd = out.stateAt;
  }

  /** Where the AOR of the record loaded begins in the outbox's state; it ends where the images begin. */
  get loadedAorAt(): number {
    return this.loadedAt + RECORD_HEADER_BYTES;
  }

  /** Starts the new record of the AOR taken from the request: images follow. */
  startRecord(out: Outbox): void {
    const { writes, recordAt, aor, aorLength } = this;
    out.record.start(writes.bytes, recordAt, recordAt + RECORD_BYTES_MAX);
    out.record.skip(RECORD_HEADER_BYTES);
    out.record.span(aor, 0, aorLength);
    setRecordAorLength(writes.bytes, recordAt, aorLength);
  }

  /** Starts the new record of the AOR whose record was loaded. */
  startRecordLikeLoaded(out: Outbox): void {
    out.record.start(this.writes.bytes, this.recordAt, this.recordAt + RECORD_BYTES_MAX);
    out.record.span(out.state, this.loadedAt, out.stateAt);
  }

  /** The record written becomes the AOR's; without bindings it is removed. */
  put(out: Outbox, bindings: number): void {
    const { writes, key, recordAt } = this;
    if (bindings > 0) sealRecord(writes.bytes, recordAt, out.record.at);
    writes.put(key[0], key[1], key[2], key[3], bindings > 0 ? out.record.at - recordAt : 0);
  }

  private loadRecord(): number {
    try {
      return this.store.load(this.keyBytes, this.loaded);
    } catch (error) {
      this.failure = error;
      return -1;
    }
  }
}
