// The bindings of one AOR during a REGISTER: the loaded ones, and the changes that the request's contacts make.
// Small fixed arrays, reused for every request. registrar.ts decides which changes are allowed.
// @hot

import { CONTACTS_MAX } from '../../sip/parser/limits.ts';
import { slab, table } from '../../sip/parser/slab.ts';
import { ABSENT, URI_AT, URI_END, URI_INTS } from '../../sip/parser/span-table.ts';
import { sameBytes } from '../../sip/scanner.ts';
import { parseUri } from '../../sip/uri/uri.ts';
import { uriEquals } from '../../sip/uri/uri-equality.ts';
import { imageLength, refreshedAtOf, regIdOf, uriAt, uriEnd } from '../binding/binding.ts';
import { CHANGE_EXPIRED } from '../binding/changes.ts';
import { contactInstanceAt, contactInstanceEnd, sameInstance } from '../binding/instance-id.ts';
import type { FlowLiveness } from '../binding/live-flow.ts';
import { nameSameDevice } from '../binding/push-device.ts';
import { isParked, isToldAsEnded, mayBeAsleep } from '../binding/sleep.ts';
import { endedBy, isOfInstance } from '../binding/target.ts';
import type { Exchange, ExchangeRequest, ExchangeWork } from '../uas/exchange.ts';
import type { Policy } from '../uas/policy.ts';
import { dormantMsOf } from '../uas/push-policy.ts';
import { flowRegId } from './outbound.ts';

/** Bindings an AOR may have; the policy's limit per AOR must not be larger. */
export const BINDINGS_MAX = 64;

type Asked = Readonly<ExchangeRequest>;

const GONE = -2;
const EVICTED = -3;

export class WorkingBindings {
  /** Entries in use: kept ones and removed ones. */
  count = 0;
  /** Kept entries, sleeping ones too. */
  live = 0;
  /** Live bindings before the request. */
  loaded = 0;
  /** Open connections; null where bindings outlive theirs. */
  flows: FlowLiveness | null = null;
  /** Start of the record being written. */
  recordAt = 0;
  /** By entry: image in the request's state, or ABSENT for a binding the request adds. */
  readonly imageAt = new Int32Array(BINDINGS_MAX + CONTACTS_MAX);
  /** By entry: the record (in the span table) of its contact in the request; ABSENT where untouched, GONE or EVICTED where removed. */
  readonly contact = new Int32Array(BINDINGS_MAX + CONTACTS_MAX);
  /** By entry with a contact: epoch ms. */
  readonly expiresAt = new Float64Array(BINDINGS_MAX + CONTACTS_MAX);
  /** Whether entries may have an epoch of their temporary GRUUs other than their image's; by entry, 1 where they have. */
  hasEpochs = false;
  readonly epochSet = new Uint8Array(BINDINGS_MAX + CONTACTS_MAX);
  readonly epoch = new Uint32Array(BINDINGS_MAX + CONTACTS_MAX);
  /** Some entries have ended and are kept asleep. */
  hasSleepers = false;
  /** Bindings whose connection has closed are parked, not removed. */
  private readonly keepCutOff: boolean;
  /** As mayBeAsleep's. */
  private readonly dormantMs: number;
  private readonly storedUri = new Int32Array(URI_INTS);

  constructor({ flowGraceS, push }: Policy) {
    this.keepCutOff = flowGraceS > 0;
    this.dormantMs = dormantMsOf(push);
  }

  /** Loads the live and the sleeping bindings of the request's state, and counts those that have ended. */
  load(exchange: Exchange): void {
    this.count = 0;
    this.hasEpochs = false;
    this.hasSleepers = false;
    const { state, stateEnd, now, liveFlows } = exchange.request;
    this.flows = this.keepCutOff ? null : liveFlows;
    for (let at = exchange.request.stateAt; at < stateEnd && this.count < BINDINGS_MAX; at += imageLength(state, at)) {
      const ended = endedBy(state, at, now, this.flows);
      if (ended !== 0) {
        this.countEnded(exchange, at, ended);
        if (!mayBeAsleep(state, at, now, this.dormantMs)) continue;
        this.hasSleepers = true;
      }
      this.imageAt[this.count] = at;
      this.contact[this.count++] = ABSENT;
    }
    this.live = this.count;
    this.loaded = this.count;
  }

  private countEnded({ request, result }: Exchange, image: number, ended: number): void {
    if (isToldAsEnded(request.state, image)) return;
    if (ended === CHANGE_EXPIRED) result.expired++;
    else result.cutOff++;
  }

  /** Whether an entry is a binding from before the request that has neither ended nor been reported as ended. */
  wasThere(i: number, { state, now }: Asked): boolean {
    const image = this.imageAt[i];
    return image >= 0 && !isToldAsEnded(state, image) && endedBy(state, image, now, this.flows) === 0;
  }

  /** Whether an entry that the request leaves unchanged has ended and is kept asleep. */
  fallsAsleep(i: number, { state, now }: Asked): boolean {
    return this.hasSleepers && endedBy(state, this.imageAt[i], now, this.flows) !== 0;
  }

  /** The contact binds its device anew: removes the device's sleeping bindings under other URIs. */
  takeUpDevice({ request }: Exchange, contact: number): void {
    const { state } = request;
    for (let i = 0; i < this.count; i++) {
      if (!this.isUntouched(i) || this.wasThere(i, request)) continue;
      const image = this.imageAt[i];
      parseUri(state, uriAt(state, image), uriEnd(state, image), this.storedUri, 0);
      if (nameSameDevice(slab, table, contact, state, this.storedUri, 0)) this.remove(i);
    }
  }

  /**
   * The first live entry that is the contact's binding, or -1: for a flow, the entry of the same flow; else one that is no flow
   * and whose URI equals the contact's (RFC 3261 §19.1.4). This equality is not transitive, so the order of search is part
   * of the rule: oldest binding first.
   */
  find({ request, work }: Exchange, contact: number): number {
    const regId = flowRegId(contact, work);
    if (regId > 0) return this.findFlow(request, work, contact, regId);
    for (let i = 0; i < this.count; i++) {
      if (this.isGone(i)) continue;
      const own = this.contact[i] >= 0;
      if ((own ? flowRegId(this.contact[i], work) : regIdOf(request.state, this.imageAt[i])) > 0) continue;
      if (own ? equalContacts(this.contact[i], contact) : this.equalsStored(request.state, i, contact)) return i;
    }
    return -1;
  }

  /**
   * The untouched entry from before this request that a contact with an interval of zero names, or -1. Where the request itself
   * has taken over the contact's flow, the contact means the old URI, which may have been bound without a flow.
   */
  findOld({ request, work }: Exchange, contact: number): number {
    const regId = flowRegId(contact, work);
    if (regId > 0) {
      const flow = this.findFlow(request, work, contact, regId);
      if (flow < 0 || this.isUntouched(flow)) return flow;
    }
    for (let i = 0; i < this.count; i++) {
      if (!this.isUntouched(i) || regIdOf(request.state, this.imageAt[i]) > 0) continue;
      if (this.equalsStored(request.state, i, contact)) return i;
    }
    return -1;
  }

  /** The live entry of the contact's instance and reg-id, or -1 (RFC 5626 §6); its URI may be another. */
  private findFlow({ state }: Asked, work: ExchangeWork, contact: number, regId: number): number {
    const at = contactInstanceAt(contact);
    const end = contactInstanceEnd(contact);
    for (let i = 0; i < this.count; i++) {
      const other = this.contact[i];
      if (this.isGone(i)) continue;
      if (other >= 0) {
        if (flowRegId(other, work) !== regId) continue;
        if (sameInstance(slab, contactInstanceAt(other), contactInstanceEnd(other), slab, at, end)) return i;
        continue;
      }
      const image = this.imageAt[i];
      if (regIdOf(state, image) !== regId) continue;
      if (isOfInstance(state, image, slab, at, end)) return i;
    }
    return -1;
  }

  /** Whether an entry is a binding that the request leaves unchanged. */
  isUntouched(i: number): boolean {
    return this.contact[i] === ABSENT && this.imageAt[i] >= 0;
  }

  /** Clears the epochs of all entries. */
  startEpochs(): void {
    for (let i = 0; i < this.count; i++) this.epochSet[i] = 0;
    this.hasEpochs = true;
  }

  setEpoch(i: number, epoch: number): void {
    this.epochSet[i] = 1;
    this.epoch[i] = epoch;
  }

  isGone(i: number): boolean {
    return this.contact[i] <= GONE;
  }

  add(contact: number, expiresAt: number): void {
    this.imageAt[this.count] = ABSENT;
    this.live++;
    this.set(this.count++, contact, expiresAt);
  }

  replace(i: number, contact: number, expiresAt: number): void {
    this.set(i, contact, expiresAt);
  }

  remove(i: number): void {
    this.contact[i] = GONE;
    this.live--;
  }

  private evict(i: number): void {
    this.contact[i] = EVICTED;
    this.live--;
  }

  /** Removes the binding with the oldest refresh among the untouched ones; false where there is none. */
  removeOldest({ state }: Asked): boolean {
    let oldest = -1;
    for (let i = 0; i < this.count; i++) {
      if (this.contact[i] !== ABSENT) continue;
      if (oldest < 0 || refreshedAtOf(state, this.imageAt[i]) < refreshedAtOf(state, this.imageAt[oldest])) oldest = i;
    }
    if (oldest < 0) return false;
    this.evict(oldest);
    return true;
  }

  isEvicted(i: number): boolean {
    return this.contact[i] === EVICTED;
  }

  /** Removes an untouched binding that is parked or asleep; false where there is none. */
  removeParked({ state, now, liveFlows }: Asked): boolean {
    for (let i = 0; i < this.count; i++) {
      if (this.contact[i] !== ABSENT || !isParked(state, this.imageAt[i], now, liveFlows)) continue;
      this.evict(i);
      return true;
    }
    return false;
  }

  private set(i: number, contact: number, expiresAt: number): void {
    this.contact[i] = contact;
    this.expiresAt[i] = expiresAt;
  }

  private equalsStored(state: Uint8Array, i: number, contact: number): boolean {
    const at = uriAt(state, this.imageAt[i]);
    const end = uriEnd(state, this.imageAt[i]);
    if (sameBytes(state, at, end, slab, table[contact + URI_AT], table[contact + URI_END])) return true;
    parseUri(state, at, end, this.storedUri, 0);
    return uriEquals(slab, table, contact, state, this.storedUri, 0);
  }
}

function equalContacts(a: number, b: number): boolean {
  return uriEquals(slab, table, a, slab, table, b);
}
