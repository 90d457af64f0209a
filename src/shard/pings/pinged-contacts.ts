// The contacts that a shard pings, each a number: the time of its next ping, whether the last is unanswered, the losses in a row.
// Results are written to the memory that lookups read.
// @hot

import type { PingResults } from '../../core/pings/ping-results.ts';
import { ExpiryIndex } from '../../core/timers/expiry-index.ts';

/** Maximum of a shard's pinged contacts, a power of two. */
const CONTACTS_MAX = 1 << 20;
const TICK_MS = 50;
const LOSSES_MAX = 0xff;

export class PingedContacts {
  /** By the first three words of an AOR's key, and the source. */
  readonly index = new ExpiryIndex(CONTACTS_MAX, TICK_MS);
  /** By number: last word of the AOR's key; the source, 0 where the number is free. */
  private readonly k3 = new Uint32Array(CONTACTS_MAX);
  private readonly source = new Uint32Array(CONTACTS_MAX);
  private readonly losses = new Uint8Array(CONTACTS_MAX);
  /** 1 while the last ping is unanswered. */
  private readonly waits = new Uint8Array(CONTACTS_MAX);
  private readonly results: PingResults;
  private readonly key = new Uint32Array(4);

  constructor(results: PingResults) {
    this.results = results;
  }

  get isFull(): boolean {
    return this.index.count === CONTACTS_MAX;
  }

  /** The source of a contact; 0 where no contact has the number. */
  sourceOf(id: number): number {
    return id < CONTACTS_MAX ? this.source[id] : 0;
  }

  /** Key of the AOR of a contact; valid until the next call. */
  keyOf(id: number): Uint32Array {
    const { key, index } = this;
    for (let word = 0; word < 3; word++) key[word] = index.keyWord(id, word);
    key[3] = this.k3[id];
    return key;
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
    this.k3[id] = k3;
    this.waits[id] = 0;
    this.losses[id] = 0;
  }

  /** Forgets the contact: its answers count no more, and lookups lose its results. */
  forget(id: number): void {
    this.results.clear(this.keyOf(id), this.source[id]);
    this.source[id] = 0;
  }

  sent(id: number): void {
    this.waits[id] = 1;
  }

  /** Counts an unanswered ping. */
  lost(id: number): void {
    const { results } = this;
    if (this.losses[id] < LOSSES_MAX) this.losses[id]++;
    const isKnown = results.find(this.keyOf(id), this.source[id]);
    this.note(id, isKnown ? results.rttMs : 0, isKnown ? results.answeredAtS : 0);
  }

  answered(id: number, rttMs: number, now: number): void {
    this.waits[id] = 0;
    this.losses[id] = 0;
    this.note(id, rttMs, Math.floor(now / 1000));
  }

  /** Resets the contact to never pinged. */
  beginAnew(id: number): void {
    this.waits[id] = 0;
    this.losses[id] = 0;
    this.note(id, 0, 0);
  }

  private note(id: number, rttMs: number, answeredAtS: number): void {
    this.results.set(this.keyOf(id), this.source[id], rttMs, answeredAtS, this.losses[id]);
  }
}
