// Pings contacts from this server, each once an interval: a wheel chooses the contact, the AOR's record has its address. An answer
// or its absence is noted. Runs beside the expiry of bindings, before the commit of a batch, since dead bindings may be removed; pings
// are sent with the batch's answers. core/pings/ping-source chooses the contacts, ping-message writes a ping.
// @hot

import { deriveKey } from '../../core/auth/derived-key.ts';
import { imageLength } from '../../core/binding/binding.ts';
import { CHANGE_FLOW_ENDED, type ChangeSink } from '../../core/binding/changes.ts';
import { countImages } from '../../core/binding/images.ts';
import type { FlowLiveness } from '../../core/binding/live-flow.ts';
import { isTarget } from '../../core/binding/target.ts';
import { branchId, branchTime, PingCode } from '../../core/pings/ping-message.ts';
import type { PingPolicy } from '../../core/pings/ping-policy.ts';
import { PingResults } from '../../core/pings/ping-results.ts';
import { pingsAny } from '../../core/pings/ping-rules.ts';
import { isPinged, isReached, sourceOf } from '../../core/pings/ping-source.ts';
import type { ExpiryVisitor } from '../../core/timers/expiry-index.ts';
import { SteadyTime } from '../../core/timers/steady-time.ts';
import type { ShardExchange } from '../../core/uas/exchange.ts';
import type { Policy } from '../../core/uas/policy.ts';
import type { LocationStore, RecordVisitor } from '../../location/location-store.ts';
import { RECORD_HEADER_BYTES, recordAorLength } from '../../location/record.ts';
import { ROW_WORDS } from '../../location/table/binding-row.ts';
import type { WriteSet } from '../../location/write-set.ts';
import { AT_SIGN } from '../../sip/scanner.ts';
import type { AorState } from '../aor-state.ts';
import type { BatchTally } from '../observe/batch-tally.ts';
import { COUNTER } from '../observe/counters.ts';
import { type OutgoingRequests, REQUESTS_MAX } from '../outgoing/outgoing-requests.ts';
import type { ShardRules } from '../shard-rules.ts';
import { sooner } from '../sooner.ts';
import type { PingOptions } from './ping-options.ts';
import { PingSender } from './ping-sender.ts';
import { PingedContacts } from './pinged-contacts.ts';

const TICK_MS = 50;
/** Timers visited in one batch: the maximum of pings that it can send. */
const TIMERS_MAX = REQUESTS_MAX;
/** Dead bindings removed in one batch: the working set keeps space for other writes. */
const REMOVED_MAX = 32;
/** Search of all records: AORs at a time, and the interval. */
const AORS_PER_LOOK = 128;
const LOOK_MS = 10;
/** Time until a contact is visited again whose record cannot be read. */
const RETRY_MS = 1000;

export interface PingerParts {
  readonly options: PingOptions;
  readonly store: LocationStore;
  readonly state: AorState;
  readonly exchange: ShardExchange;
  readonly rules: ShardRules;
  readonly tally: BatchTally;
  readonly flows: FlowLiveness | null;
  readonly outgoing: OutgoingRequests;
  readonly counters: Float64Array;
  readonly secret: Uint8Array;
  /** This node's number; 0 where there is one. */
  readonly node: number;
}

export class Pinger implements ExpiryVisitor, RecordVisitor {
  readonly results: PingResults;
  private readonly parts: PingerParts;
  private readonly code: PingCode;
  private readonly sender: PingSender;
  /** Null while no contact is pinged. */
  private pinged: PingedContacts | null = null;
  private settings: PingPolicy;
  /** Position of the search of all records, and its next time; -1 when it is over. */
  private cursor = -1;
  private lookAt = 0;
  /** By `time`: a clock set back delays no ping. */
  private now = 0;
  private readonly time = new SteadyTime();
  private removed = 0;
  private changes: ChangeSink | null = null;
  private history: ChangeSink | null = null;

  constructor(parts: PingerParts, policy: Policy) {
    const { options, secret } = parts;
    this.parts = parts;
    this.results = new PingResults(options.results);
    this.code = new PingCode(deriveKey(secret, 'ping branches'));
    this.sender = new PingSender(options, parts.outgoing, this.code, parts.node);
    this.settings = policy.pings;
    this.configure(policy);
  }

  /** Whether contacts are pinged. */
  get isOn(): boolean {
    return this.pinged !== null;
  }

  /** @cold */
  configure(policy: Policy): void {
    this.settings = policy.pings;
    if (!pingsAny(policy)) this.pinged = null;
    else this.pinged ??= new PingedContacts(this.results);
    this.lookAgain();
  }

  /** Searches all records again: another owner has written them, or other contacts are to be pinged. @cold */
  lookAgain(): void {
    this.cursor = this.pinged === null ? -1 : 0;
  }

  /** Sends due pings, as many as fit one batch. */
  sweep(now: number, changes: ChangeSink | null, history: ChangeSink | null): void {
    const { pinged, parts } = this;
    if (pinged === null) return;
    this.now = this.time.at(now);
    this.removed = 0;
    this.changes = changes;
    this.history = history;
    parts.exchange.request.now = now;
    if (this.cursor >= 0 && this.now >= this.lookAt) {
      this.lookAt = this.now + LOOK_MS;
      this.cursor = parts.store.visitSome(this.cursor, AORS_PER_LOOK, this);
    }
    pinged.index.advance(this.now, TIMERS_MAX, this);
    parts.counters[COUNTER.pinged_contacts] = pinged.index.count;
  }

  /** Milliseconds until `sweep` has work, 0 when it has, -1 when there is nothing to wait for. */
  msToNext(now: number): number {
    if (this.pinged === null) return -1;
    const at = this.time.at(now);
    const look = this.cursor < 0 ? -1 : Math.max(0, Math.ceil(this.lookAt - at));
    return sooner(this.pinged.index.msToNextTick(at), look);
  }

  /** The batch's writes are committed: new contacts are pinged from now on. */
  committed(writes: WriteSet, now: number): void {
    this.now = this.time.at(now);
    const { rows, at, end, bytes } = writes;
    for (let entry = 0, w = 0; entry < writes.count; entry++, w += ROW_WORDS)
      if (end[entry] > at[entry])
        this.watch(rows[w], rows[w + 1], rows[w + 2], rows[w + 3], bytes, at[entry], end[entry]);
  }

  /** For the store: a record from before the start, or one written since. */
  visitRecord(key: Uint32Array, bytes: Uint8Array, length: number): void {
    this.watch(key[0], key[1], key[2], key[3], bytes, 0, length);
  }

  private watch(k0: number, k1: number, k2: number, k3: number, bytes: Uint8Array, at: number, end: number): void {
    const aor = at + RECORD_HEADER_BYTES;
    const images = aor + recordAorLength(bytes, at);
    const contacts = this.parts.rules.pingOf(bytes, bytes.lastIndexOf(AT_SIGN, images - 1) + 1, images);
    if (contacts === 'off' || countImages(bytes, images, end) <= 0) return;
    for (let image = images; image < end; image += imageLength(bytes, image))
      if (isPinged(bytes, image, contacts)) this.track(k0, k1, k2, k3, sourceOf(bytes, image));
  }

  /** The contacts are spread over the interval by their numbers. */
  private track(k0: number, k1: number, k2: number, k3: number, source: number): void {
    const { pinged } = this;
    if (pinged === null || pinged.index.idOf(k0, k1, k2, source) >= 0) return;
    if (pinged.isFull) {
      this.parts.counters[COUNTER.pings_left_out]++;
      return;
    }
    const spread = ((k1 ^ source) >>> 0) % (this.settings.intervalS * 1000);
    pinged.add(k0, k1, k2, k3, source, this.now + spread);
  }

  /** For the index: a contact is due. Returns its next time, 0 for never. */
  expire(k0: number, k1: number, k2: number, source: number): number {
    const { pinged, settings, now } = this;
    const { state, exchange, counters } = this.parts;
    if (pinged === null) return 0;
    if (this.sender.isFull) return now + TICK_MS;
    const id = pinged.index.idOf(k0, k1, k2, source);
    const { key } = state;
    key.set(pinged.keyOf(id));
    state.load(exchange.request);
    if (state.failure !== null) return now + RETRY_MS;
    const image = this.imageOf(source);
    if (image < 0) {
      pinged.forget(id);
      return 0;
    }
    const wasLost = pinged.waitsFor(id);
    if (wasLost) {
      pinged.lost(id);
      counters[COUNTER.pings_lost]++;
    }
    if (settings.dead === 'remove' && pinged.lossesOf(id) >= settings.lossesMax) {
      if (this.removed++ >= REMOVED_MAX || state.isSweepFull) return now + TICK_MS;
      this.remove(source);
      pinged.beginAnew(id); // losses are counted anew if it registers meanwhile, or stays since the commit fails
    } else if (this.sender.send(exchange.request, image, settings.method === 'options', key, id, source, wasLost)) {
      if (settings.method === 'options') pinged.sent(id);
      counters[COUNTER.pings_sent]++;
    }
    return now + settings.intervalS * 1000;
  }

  /** The first pinged target of a source, -1 where there is none. */
  private imageOf(source: number): number {
    const { exchange, flows, rules, state } = this.parts;
    const { state: bytes, stateAt, stateEnd, now } = exchange.request;
    if (stateEnd <= stateAt) return -1;
    const host = bytes.lastIndexOf(AT_SIGN, stateAt - 1) + 1;
    const contacts = host > state.loadedAorAt ? rules.pingOf(bytes, host, stateAt) : 'off';
    for (let image = stateAt; image < stateEnd; image += imageLength(bytes, image))
      if (
        sourceOf(bytes, image) === source &&
        isPinged(bytes, image, contacts) &&
        isTarget(bytes, image, now, flows) &&
        isReached(bytes, image, flows)
      )
        return image;
    return -1;
  }

  /** Removes the bindings of a source from the AOR in the request. */
  private remove(source: number): void {
    const { changes, history } = this;
    const { state, exchange, tally, counters } = this.parts;
    const { request, result } = exchange;
    const { now, state: bytes, stateAt, stateEnd } = request;
    state.startRecordLikeLoaded(request, result);
    let kept = 0;
    let removed = 0;
    for (let image = stateAt; image < stateEnd; image += imageLength(bytes, image)) {
      if (sourceOf(bytes, image) === source) {
        changes?.add(CHANGE_FLOW_ENDED, bytes, state.loadedAorAt, stateAt, bytes, image, now);
        history?.add(CHANGE_FLOW_ENDED, bytes, state.loadedAorAt, stateAt, bytes, image, now);
        removed++;
        continue;
      }
      result.record.span(bytes, image, image + imageLength(bytes, image));
      kept++;
    }
    state.put(result, kept);
    tally.cutOff(removed);
    counters[COUNTER.pings_removed] += removed;
  }

  /** For a branch of this shard's pings, read last: key of its contact's AOR. @cold */
  keyOfRead(): Uint32Array | undefined {
    return this.pinged?.keyOf(branchId());
  }

  /** For a branch of this shard's pings, read last: key of its contact's AOR, undefined where it answers no ping. */
  answered(now: number): Uint32Array | undefined {
    const { pinged, code, settings } = this;
    if (pinged === null) return undefined;
    const id = branchId();
    const source = pinged.sourceOf(id);
    if (source === 0 || !code.isOfBranch(source)) return undefined;
    const rttMs = (((now % 4294967296) >>> 0) - branchTime()) >>> 0;
    if (rttMs > settings.intervalS * 2000) return undefined;
    pinged.answered(id, rttMs, now);
    this.parts.counters[COUNTER.pings_answered]++;
    return pinged.keyOf(id);
  }
}
