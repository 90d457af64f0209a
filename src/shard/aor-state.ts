// The current AOR: its key, its bindings in the batch's view (working set first, then the store), and its new
// record before it joins the working set. The registrar decides about bindings.
// @hot

import { nonceIdOf, refreshImage } from '../core/binding/binding.ts';
import { Identity } from '../core/binding/identity.ts';
import { countImages, highestNc } from '../core/binding/images.ts';
import type { ExchangeRequest, ExchangeResult } from '../core/uas/exchange.ts';
import { aorHash, aorText, keyWords, requestModule } from '../core/wasm/request-module.ts';
import type { LocationStore } from '../location/location-store.ts';
import {
  RECORD_BYTES_MAX,
  RECORD_HEADER_BYTES,
  recordAorLength,
  sealRecord,
  setRecordAorLength,
} from '../location/record.ts';
import { RowCopy } from '../location/table/binding-row.ts';
import type { WriteSet } from '../location/write-set.ts';
import { OPENING_BRACKET } from '../sip/ip.ts';
import { slab, table } from '../sip/parser/slab.ts';
import { METHOD_REGISTER, T_METHOD, T_REQUEST_URI, T_TO, URI_HOST_AT, URI_USER_AT } from '../sip/parser/span-table.ts';
import { SipHash } from '../sip/siphash.ts';
import { canonicalAor } from '../sip/uri/uri.ts';
import { RecordDescriber } from './describe-record.ts';

// Constants of this module: V8 compiles them in, while it loads an import each time it is used.
const module = requestModule;
const hash = aorHash;

/** Results of `find`: the AOR has no binding; one that can be refreshed without its record, in `row`; others, or a batch changes it. */
export const AOR_EMPTY = 0;
export const AOR_PLAIN = 1;
export const AOR_OTHER = 2;

export class AorState {
  /** The canonical AOR of the request, aorLength bytes; -1 where it names none. Valid until any shard of the thread reads another. */
  readonly aor = aorText;
  aorLength = -1;
  /** Its keyed hash. */
  readonly key = new Uint32Array(4);
  /** The loaded bindings are from the working set, so that answers about them depend on the commit. */
  uncommitted = false;
  /** The store's error at the last load, or null. After an error the record may not be overwritten either. */
  failure: unknown = null;
  /** The binding that `find` found. */
  readonly row = new RowCopy();
  readonly identity: Identity;
  /** Working sets of batches in flight, oldest first: the store has them, but does not show them yet. */
  readonly earlier: WriteSet[] = [];
  private readonly describer: RecordDescriber;
  private readonly store: LocationStore;
  private readonly writes: WriteSet;
  private readonly words: Int32Array;
  private readonly siphash: SipHash;
  private readonly keyBytes = new Uint8Array(this.key.buffer);
  private readonly loaded = new Uint8Array(RECORD_BYTES_MAX);
  private loadedAt = 0;
  private recordAt = 0;
  /** Bytes of records in the working set at which a sweep stops until the next batch. */
  private sweptMax = 0;

  /** @param hashKey 16 secret bytes */
  constructor(store: LocationStore, writes: WriteSet, hashKey: Uint8Array) {
    this.store = store;
    this.writes = writes;
    this.words = keyWords(hashKey);
    this.siphash = new SipHash(hashKey);
    this.identity = new Identity(hashKey);
    this.describer = new RecordDescriber(this.identity);
  }

  /** Reads the AOR of the request: To's for REGISTER (§10.3 step 5), else that of a Request-URI with a user. */
  readRequestAor(): void {
    const isOfUri = table[T_METHOD] !== METHOD_REGISTER && table[T_REQUEST_URI + URI_USER_AT] >= 0;
    this.readAor(isOfUri ? T_REQUEST_URI : T_TO);
  }

  private readAor(uri: number): void {
    const { words } = this;
    if (slab[table[uri + URI_HOST_AT]] === OPENING_BRACKET) {
      this.readIpv6Aor(uri);
      return;
    }
    this.aorLength = module.hashAor(uri, words[0], words[1], words[2], words[3]);
    if (this.aorLength < 0) {
      this.key.fill(0); // no AOR's, so that nothing counts for the previous AOR
      return;
    }
    for (let i = 0; i < 4; i++) this.key[i] = hash[i];
  }

  /** Reads an AOR with an IPv6 host, which has many spellings. @cold */
  private readIpv6Aor(uri: number): void {
    const { aor, siphash } = this;
    this.aorLength = canonicalAor(slab, table, uri, aor);
    siphash.begin();
    siphash.span(aor, 0, this.aorLength);
    siphash.end();
    if (this.aorLength < 0) this.key.fill(0);
    else this.key.set(siphash.out);
  }

  /** Sets the time that sleeping bindings are kept after their expiry (sleep.ts). @cold */
  keepAsleep(dormantMs: number): void {
    this.describer.dormantMs = dormantMs;
  }

  /** Sets the AOR in the core's request. */
  name(request: ExchangeRequest): void {
    request.aor = this.aor;
    request.aorLength = this.aorLength;
    request.aorKey = this.key;
  }

  /** Whether the AOR has any bindings, as far as the table and the batch know without its record. */
  isKnown(): boolean {
    return this.aorLength < 0 || this.find() !== AOR_EMPTY;
  }

  /** Whether this batch, or one in flight, changes the AOR of the key. */
  isTouched(): boolean {
    const { key } = this;
    if (this.writes.find(key[0], key[1], key[2], key[3]) >= 0) return true;
    return this.earlier.length > 0 && this.isInFlight();
  }

  /** @cold */
  private isInFlight(): boolean {
    const { key } = this;
    return this.earlier.some((writes) => writes.find(key[0], key[1], key[2], key[3]) >= 0);
  }

  /** The table's knowledge of the AOR, while no unsettled write has touched it: AOR_*. */
  find(): number {
    const { key, row } = this;
    if (this.isTouched()) return AOR_OTHER;
    if (!this.store.find(key[0], key[1], key[2], key[3], row)) return AOR_EMPTY;
    return row.plain ? AOR_PLAIN : AOR_OTHER;
  }

  /** Loads the AOR's images into the request, and reserves memory of the working set for new ones. */
  load(request: ExchangeRequest): void {
    const { writes, key } = this;
    this.recordAt = writes.reserve(RECORD_BYTES_MAX); // first: it may move the working set's bytes
    const entry = writes.find(key[0], key[1], key[2], key[3]);
    this.uncommitted = entry >= 0 || (this.earlier.length > 0 && this.isInFlight());
    this.failure = null;
    if (entry >= 0 && writes.refreshes[entry] === 0) {
      request.state = writes.bytes;
      this.loadedAt = writes.at[entry];
      request.stateEnd = writes.end[entry];
    } else {
      request.state = this.loaded;
      this.loadedAt = 0;
      request.stateEnd = this.earlier.length === 0 ? this.loadRecord() : this.loadEarlier();
    }
    if (request.stateEnd <= this.loadedAt) {
      request.stateAt = 0;
      request.stateEnd = 0;
      return;
    }
    request.stateAt = this.loadedAt + RECORD_HEADER_BYTES + recordAorLength(request.state, this.loadedAt);
    if (entry >= 0 && request.state !== writes.bytes) {
      writes.copyRow(entry, this.row);
      refreshImage(request.state, request.stateAt, this.row);
    }
    // A sound checksum over invalid images: written by a faulty program, and treated like a damaged record.
    if (entry < 0 && countImages(request.state, request.stateAt, request.stateEnd) < 0)
      request.stateEnd = request.stateAt;
  }

  /** As `load`, for an AOR that is AOR_EMPTY. */
  loadNothing(request: ExchangeRequest): void {
    this.recordAt = this.writes.reserve(RECORD_BYTES_MAX);
    this.uncommitted = false;
    this.failure = null;
    this.loadedAt = 0;
    request.state = this.loaded;
    request.stateAt = 0;
    request.stateEnd = 0;
  }

  /** Start of the loaded record's AOR in the request's state; its end is the start of the images. */
  get loadedAorAt(): number {
    return this.loadedAt + RECORD_HEADER_BYTES;
  }

  /** The highest nc in the AOR's bindings for a nonce, or -1. */
  highestNc(request: ExchangeRequest, idHigh: number, idLow: number): number {
    const { row } = this;
    if (this.find() === AOR_PLAIN) return row.nonceId === nonceIdOf(idHigh, idLow) ? row.highestNc : -1;
    this.load(request);
    if (this.failure !== null) return -1;
    return highestNc(request.state, request.stateAt, request.stateEnd, idHigh, idLow);
  }

  /** Starts the record in free memory of the working set, for an image that is not kept. */
  startImage({ record }: ExchangeResult): void {
    const at = this.writes.reserve(RECORD_BYTES_MAX);
    record.start(this.writes.bytes, at, at + RECORD_BYTES_MAX);
  }

  /** Starts the new record of the AOR taken from the request: images follow. */
  startRecord({ record }: ExchangeResult): void {
    const { writes, recordAt, aor, aorLength } = this;
    record.start(writes.bytes, recordAt, recordAt + RECORD_BYTES_MAX);
    record.skip(RECORD_HEADER_BYTES);
    record.span(aor, 0, aorLength);
    setRecordAorLength(writes.bytes, recordAt, aorLength);
  }

  /** Starts the new record of the AOR with the loaded record's header. */
  startRecordLikeLoaded({ state, stateAt }: ExchangeRequest, { record }: ExchangeResult): void {
    record.start(this.writes.bytes, this.recordAt, this.recordAt + RECORD_BYTES_MAX);
    record.span(state, this.loadedAt, stateAt);
  }

  /**
   * Puts the written record into the working set as the AOR's; without bindings the AOR is removed.
   * @param newImageAt offset in it of the image that the module wrote last; negative: none
   */
  put({ record }: ExchangeResult, bindings: number, newImageAt = -1): void {
    const { writes, key, recordAt } = this;
    if (bindings === 0) return this.remove();
    const { bytes } = writes;
    sealRecord(bytes, recordAt, record.at);
    const entry = writes.put(key[0], key[1], key[2], key[3], record.at - recordAt);
    this.describer.describe(writes, entry, newImageAt);
  }

  remove(): void {
    const { writes, key } = this;
    writes.put(key[0], key[1], key[2], key[3], 0);
  }

  /** Marks the start of the batch's sweep: changes of records without a request. */
  startSweep(): void {
    this.sweptMax = this.writes.length + this.store.batchBytes;
  }

  /** Whether the sweep must leave the remaining records to the next batch: a batch that is too long fails as a whole. */
  get isSweepFull(): boolean {
    return this.writes.length >= this.sweptMax;
  }

  /** Puts the refresh of the AOR's only binding, as in `row`, into the working set. */
  putRefresh(): void {
    const { writes, key } = this;
    writes.refresh(key[0], key[1], key[2], key[3], this.row);
  }

  /** The record after the batches in flight. A refresh in flight is never followed by another: `find` makes sure. @cold */
  private loadEarlier(): number {
    const { earlier, key, loaded, row } = this;
    let i = earlier.length - 1;
    let entry = -1;
    for (; i >= 0 && entry < 0; i--) entry = earlier[i].find(key[0], key[1], key[2], key[3]);
    if (entry < 0) return this.loadRecord();
    const writes = earlier[i + 1];
    if (writes.refreshes[entry] === 0) {
      loaded.set(writes.bytes.subarray(writes.at[entry], writes.end[entry]));
      return writes.end[entry] - writes.at[entry];
    }
    const length = this.loadRecord();
    if (length < 0) return length;
    writes.copyRow(entry, row);
    refreshImage(loaded, RECORD_HEADER_BYTES + recordAorLength(loaded, 0), row);
    return length;
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
