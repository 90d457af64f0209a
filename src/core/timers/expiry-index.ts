// The time at which each AOR must be visited next: one timer per AOR, found by its key. Bindings and records are unknown to it; the
// visitor loads them. @hot

import { type TimerVisitor, TimerWheel } from './timer-wheel.ts';

const NONE = -1;

export interface ExpiryVisitor {
  /** An AOR's deadline has passed. Returns the next one (epoch ms), or 0 without bindings. */
  expire(k0: number, k1: number, k2: number, k3: number): number;
}

/**
 * An open-addressing table (linear probing, backward-shift deletion, at most half full) from the words of an AOR's key
 * to its timer. 40 to 56 bytes per AOR. @hot
 */
export class ExpiryIndex implements TimerVisitor {
  /** AORs tracked. */
  count = 0;
  private readonly wheel: TimerWheel;
  /** Ids by hash. */
  private readonly slots: Int32Array;
  /** Keys by id, four words each; the first word of a free id is the next free one. */
  private readonly keys: Uint32Array;
  private ids = 0;
  private free = NONE;
  private visitor: ExpiryVisitor | undefined;

  /** @param capacity AORs tracked at most, a power of two: the caller counts */
  constructor(capacity: number, tickMs = 1000) {
    this.wheel = new TimerWheel(tickMs, 8192, capacity);
    this.slots = new Int32Array(capacity * 2).fill(NONE);
    this.keys = new Uint32Array(capacity * 4);
  }

  /**
   * Makes sure that the AOR is visited no later than at `expiresAtMs` (and a tick): adds it, or moves it earlier. Returns its
   * id: small and dense, its own until it is forgotten.
   */
  track(k0: number, k1: number, k2: number, k3: number, expiresAtMs: number): number {
    const slot = this.find(k0, k1, k2, k3);
    let id = this.slots[slot];
    if (id !== NONE) {
      if (this.wheel.has(id) && this.wheel.deadline(id) <= expiresAtMs) return id;
    } else id = this.insert(slot, k0, k1, k2, k3);
    this.wheel.add(id, expiresAtMs);
    return id;
  }

  /** The id of a key, -1 where it is not tracked. */
  idOf(k0: number, k1: number, k2: number, k3: number): number {
    return this.slots[this.find(k0, k1, k2, k3)];
  }

  /** A word, 0 to 3, of the key of a tracked id. */
  keyWord(id: number, word: number): number {
    return this.keys[(id << 2) + word];
  }

  /** Forgets an AOR whose bindings are gone; false where it was not tracked. Optional: its deadline does the same. */
  untrack(k0: number, k1: number, k2: number, k3: number): boolean {
    const slot = this.find(k0, k1, k2, k3);
    if (this.slots[slot] === NONE) return false;
    this.erase(slot);
    return true;
  }

  /** Visits at most `budget` AORs whose deadline has passed. True: the budget ran out, more may be due. */
  advance(nowMs: number, budget: number, visitor: ExpiryVisitor): boolean {
    this.visitor = visitor;
    const more = this.wheel.advance(nowMs, budget, this);
    this.visitor = undefined;
    return more;
  }

  /** Milliseconds until a visit may be due, 0 when one is, -1 when no AOR is tracked. */
  msToNextTick(nowMs: number): number {
    return this.wheel.msToNextTick(nowMs);
  }

  /** For the wheel. */
  visit(id: number): void {
    const k = id << 2;
    const k0 = this.keys[k];
    const k1 = this.keys[k + 1];
    const k2 = this.keys[k + 2];
    const k3 = this.keys[k + 3];
    const visitor = this.visitor;
    const deadline = visitor === undefined ? 0 : visitor.expire(k0, k1, k2, k3);
    const slot = this.find(k0, k1, k2, k3); // the visitor may have untracked the AOR itself
    if (this.slots[slot] !== id) return;
    if (deadline > 0) this.wheel.add(id, deadline);
    else this.erase(slot);
  }

  /** The slot of a key, or the empty one where it belongs. */
  private find(k0: number, k1: number, k2: number, k3: number): number {
    const mask = this.slots.length - 1;
    for (let slot = home(k2, mask); ; slot = (slot + 1) & mask) {
      const id = this.slots[slot];
      if (id === NONE) return slot;
      const k = id << 2;
      const keys = this.keys;
      if (keys[k] === k0 >>> 0 && keys[k + 1] === k1 >>> 0 && keys[k + 2] === k2 >>> 0 && keys[k + 3] === k3 >>> 0)
        return slot;
    }
  }

  private insert(slot: number, k0: number, k1: number, k2: number, k3: number): number {
    let id = this.free;
    if (id === NONE) id = this.ids++;
    else this.free = this.keys[id << 2] | 0;
    const k = id << 2;
    this.keys[k] = k0;
    this.keys[k + 1] = k1;
    this.keys[k + 2] = k2;
    this.keys[k + 3] = k3;
    this.slots[slot] = id;
    this.count++;
    return id;
  }

  /** Empties a slot and moves back the entries after it that probing would no longer reach. */
  private erase(slot: number): void {
    const slots = this.slots;
    const mask = slots.length - 1;
    const id = slots[slot];
    let hole = slot;
    for (let at = (slot + 1) & mask; slots[at] !== NONE; at = (at + 1) & mask) {
      const wanted = home(this.keys[(slots[at] << 2) + 2], mask);
      if (((at - wanted) & mask) < ((at - hole) & mask)) continue;
      slots[hole] = slots[at];
      hole = at;
    }
    slots[hole] = NONE;
    this.wheel.remove(id);
    this.keys[id << 2] = this.free;
    this.free = id;
    this.count--;
  }
}

/** Slot by the third word: shards and the write set choose by the first. */
function home(k2: number, mask: number): number {
  return k2 & mask;
}
