// The contacts that a shard pings, each a number: when its next ping is due, whether the last was answered, how many in a row were not. What
// came of pings is written where lookups find it.
// @hot

import type { PingResults } from '../../core/pings/ping-results.ts';
import { ExpiryIndex } from '../../core/timers/expiry-index.ts';

/** Contacts that a shard pings at most, a power of two. */
const CONTACTS_MAX = 1 << 20;
const TICK_MS = 50;
const LOSSES_MAX = 0xff;

export class PingedContacts {
  /** By the first three words of an AOR's key, and the source. */
  readonly index = new ExpiryIndex(CONTACTS_MAX, TICK_MS);
  /** By number: words of the AOR's key, and the source; 0 where the number is free. */
  readonly k3 = new Uint32Array(CONTACTS_MAX);
  private readonly k0 = new Uint32Array(CONTACTS_MAX);
  private readonly k1 = new Uint32Array(CONTACTS_MAX);
  private readonly source = new Uint32Array(CONTACTS_MAX);
  private readonly losses = new Uint8Array(CONTACTS_MAX);
  /** 1 where the last ping is not answered. */
  private readonly waits = new Uint8Array(CONTACTS_MAX);
  private readonly results: PingResults;
  /** For `find`. */
  private readonly key = new Uint32Array(4);

  constructor(results: PingResults) {
    this.results = results;
  }

  get isFull(): boolean {
    return this.index.count === CONTACTS_MAX;
  }

  /** The source of a contact; 0 where there is no contact of the number. */
  sourceOf(id: number): number {
    return id < CONTACTS_MAX ? this.source[id] : 0;
  }

  lossesOf(id: number): number {
    return this.losses[id];
  }

  waitsFor(id: number): boolean {
    return this.waits[id] === 1;
  }

  add(k0: number, k1: number, k2: number, k3: number, source: number, dueAt: number): void {
    const id = this.index.track(k0, k1, k2, source, dueAt);
    this.source[id] = source;
    this.k0[id] = k0;
    this.k1[id] = k1;
    this.k3[id] = k3;
    this.waits[id] = 0;
    this.losses[id] = 0;
  }

  /** No answer is the contact's any more, and no lookup knows of it. */
  forget(id: number): void {
    this.results.clear(this.k0[id], this.k1[id], this.k3[id], this.source[id]);
    this.source[id] = 0;
  }

  sent(id: number): void {
    this.waits[id] = 1;
  }

  /** The last ping was not answered. */
  lost(id: number): void {
    const { key, results } = this;
    if (this.losses[id] < LOSSES_MAX) this.losses[id]++;
    key[0] = this.k0[id];
    key[1] = this.k1[id];
    key[3] = this.k3[id];
    const isKnown = results.find(key, this.source[id]);
    this.note(id, isKnown ? results.rttMs : 0, isKnown ? results.answeredAtS : 0);
  }

  answered(id: number, rttMs: number, now: number): void {
    this.waits[id] = 0;
    this.losses[id] = 0;
    this.note(id, rttMs, Math.floor(now / 1000));
  }

  /** As if it had never been pinged. */
  beginAnew(id: number): void {
    this.waits[id] = 0;
    this.losses[id] = 0;
    this.note(id, 0, 0);
  }

  private note(id: number, rttMs: number, answeredAtS: number): void {
    const { k0, k1, k3, source, losses } = this;
    this.results.set(k0[id], k1[id], k3[id], source[id], rttMs, answeredAtS, losses[id]);
  }
}
