// The watched AORs, found by key when requests are decided and by name when changes are published. @hot

import type { Subscription } from '../../core/subscriptions/subscription.ts';

export interface WatchedAor {
  /** Four words. */
  readonly key: Uint32Array;
  /** Canonical, one character a byte. */
  readonly name: string;
  readonly subscriptions: Subscription[];
  /** Another one whose key has the same first word. */
  next: WatchedAor | undefined;
}

export class WatchedAors {
  count = 0;
  private readonly byKey = new Map<number, WatchedAor>();
  private readonly byName = new Map<string, WatchedAor>();

  /** Whether the AOR of a key is watched. */
  has(key: Uint32Array): boolean {
    return this.count > 0 && this.find(key) !== undefined;
  }

  find(key: Uint32Array): WatchedAor | undefined {
    let found = this.byKey.get(key[0]);
    while (found !== undefined && !isSame(found.key, key)) found = found.next;
    return found;
  }

  named(name: string): WatchedAor | undefined {
    return this.byName.get(name);
  }

  /** @cold */
  all(): IterableIterator<WatchedAor> {
    return this.byName.values();
  }

  /** Adds the AOR, unless it is watched already. @cold */
  watch(key: Uint32Array, name: string): WatchedAor {
    const found = this.find(key);
    if (found !== undefined) return found;
    const made = { key: key.slice(), name, subscriptions: [], next: this.byKey.get(key[0]) };
    this.byKey.set(key[0], made);
    this.byName.set(name, made);
    this.count++;
    return made;
  }

  /** Removes an AOR that is no longer watched. @cold */
  forget(aor: WatchedAor): void {
    const first = this.byKey.get(aor.key[0]);
    if (first === aor && aor.next === undefined) this.byKey.delete(aor.key[0]);
    else if (first === aor && aor.next !== undefined) this.byKey.set(aor.key[0], aor.next);
    else for (let at = first; at !== undefined; at = at.next) if (at.next === aor) at.next = aor.next;
    this.byName.delete(aor.name);
    this.count--;
  }
}

function isSame(a: Uint32Array, b: Uint32Array): boolean {
  return a[0] === b[0] && a[1] === b[1] && a[2] === b[2] && a[3] === b[3];
}
