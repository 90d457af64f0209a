// AORs with bindings that depend on a flow: (flow, AOR) pairs, found by both or by the flow. Entries may be stale (the binding has another flow by
// now); a visitor checks the record. Bounded; pairs that do not fit are not tracked. @hot

import { FLOWS_AT_FIRST } from '../first-sizes.ts';

const NONE = -1;

/** 24 bytes an entry and 8 in the hash table; the flows' heads are a Map, one entry per flow. */
export class FlowIndex {
  count = 0;
  /** The AOR key of the pair that `removeOne` removed. */
  readonly key = new Uint32Array(4);
  private readonly max: number;
  /** First entry of each flow. */
  private readonly heads = new Map<number, number>();
  private tokens: Uint32Array;
  private keys: Uint32Array;
  /** The flow's next entry; of a free one, the next free one. */
  private next: Int32Array;
  private slots: Int32Array;
  private ids = 0;
  private free = NONE;

  /** @param max entries at most */
  constructor(max: number, capacity = FLOWS_AT_FIRST) {
    this.max = max;
    this.tokens = new Uint32Array(capacity);
    this.keys = new Uint32Array(capacity * 4);
    this.next = new Int32Array(capacity);
    this.slots = new Int32Array(capacity * 2).fill(NONE);
  }

  /** Flows that have entries. */
  get flows(): number {
    return this.heads.size;
  }

  has(token: number): boolean {
    return this.heads.has(token);
  }

  /** Adds a pair, unless it is there. False: the index is full. */
  track(token: number, k0: number, k1: number, k2: number, k3: number): boolean {
    let slot = this.find(token, k0, k1, k2, k3);
    if (this.slots[slot] !== NONE) return true;
    if (this.count >= this.max) return false;
    if ((this.count + 1) * 2 > this.slots.length) {
      this.grow();
      slot = this.find(token, k0, k1, k2, k3);
    }
    let id = this.free;
    if (id === NONE) id = this.ids++;
    else this.free = this.next[id];
    const k = id << 2;
    this.tokens[id] = token;
    this.keys[k] = k0;
    this.keys[k + 1] = k1;
    this.keys[k + 2] = k2;
    this.keys[k + 3] = k3;
    this.next[id] = this.heads.get(token) ?? NONE;
    this.heads.set(token, id);
    this.slots[slot] = id;
    this.count++;
    return true;
  }

  /** Removes one of a flow's pairs; its AOR is then in `key`. False: the flow has none left. */
  removeOne(token: number): boolean {
    const id = this.heads.get(token);
    if (id === undefined) return false;
    const k = id << 2;
    for (let i = 0; i < 4; i++) this.key[i] = this.keys[k + i];
    this.erase(this.find(token, this.key[0], this.key[1], this.key[2], this.key[3]));
    const next = this.next[id];
    if (next === NONE) this.heads.delete(token);
    else this.heads.set(token, next);
    this.next[id] = this.free;
    this.free = id;
    this.count--;
    return true;
  }

  /** The slot of a pair, or the empty slot for it. */
  private find(token: number, k0: number, k1: number, k2: number, k3: number): number {
    const { slots, tokens, keys } = this;
    const mask = slots.length - 1;
    for (let slot = home(token, k2) & mask; ; slot = (slot + 1) & mask) {
      const id = slots[slot];
      if (id === NONE) return slot;
      const k = id << 2;
      if (tokens[id] !== token >>> 0 || keys[k] !== k0 >>> 0 || keys[k + 1] !== k1 >>> 0) continue;
      if (keys[k + 2] === k2 >>> 0 && keys[k + 3] === k3 >>> 0) return slot;
    }
  }

  /** Empties a slot and moves back later entries that probing would no longer reach. */
  private erase(slot: number): void {
    const { slots, tokens, keys } = this;
    const mask = slots.length - 1;
    let hole = slot;
    for (let at = (slot + 1) & mask; slots[at] !== NONE; at = (at + 1) & mask) {
      const wanted = home(tokens[slots[at]], keys[(slots[at] << 2) + 2]) & mask;
      if (((at - wanted) & mask) < ((at - hole) & mask)) continue;
      slots[hole] = slots[at];
      hole = at;
    }
    slots[hole] = NONE;
  }

  /** Doubles the table. Only a full one grows, and then every id is in use. */
  private grow(): void {
    const capacity = this.slots.length;
    const tokens = new Uint32Array(capacity);
    tokens.set(this.tokens);
    this.tokens = tokens;
    const keys = new Uint32Array(capacity * 4);
    keys.set(this.keys);
    this.keys = keys;
    const next = new Int32Array(capacity);
    next.set(this.next);
    this.next = next;
    const slots = new Int32Array(capacity * 2).fill(NONE);
    const mask = slots.length - 1;
    for (let id = 0; id < this.ids; id++) {
      let slot = home(tokens[id], keys[(id << 2) + 2]) & mask;
      while (slots[slot] !== NONE) slot = (slot + 1) & mask;
      slots[slot] = id;
    }
    this.slots = slots;
  }
}

function home(token: number, k2: number): number {
  return (k2 ^ Math.imul(token, 0x9e3779b1)) >>> 0;
}
