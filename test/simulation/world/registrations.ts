// What a registrar must answer and keep, AOR by AOR, as RFC 3261 §10.3 has it: lists of bindings, and nothing of how they are stored.

/** A binding, by what its phone knows of it. */
export interface Bound {
  readonly contact: string;
  readonly callId: string;
  readonly cseq: number;
  /** Epoch ms. */
  readonly expiresAt: number;
  /** The connection that it lives by; 0: none. */
  readonly flow: number;
  /** What a push wakes; '' where the server has not taken that on. */
  readonly device: string;
  /** It is no target, and kept for a push. */
  readonly isAsleep: boolean;
}

/** Where devices are woken. */
export interface PushRules {
  /** Shorter intervals end before a device is reminded. */
  readonly shortestS: number;
}

export interface Rules {
  readonly minS: number;
  readonly maxS: number;
  readonly jitterPercent: number;
  readonly contactsMax: number;
  /** Bindings that the domain may still have; as many as there are where it is not given. */
  readonly room?: number;
  /** Null: no push service is served. */
  readonly push?: PushRules | null;
}

export interface Asked {
  readonly kind: 'bind' | 'unbind' | 'star' | 'fetch';
  readonly contacts: readonly string[];
  readonly callId: string;
  readonly cseq: number;
  readonly seconds: number;
  readonly flow: number;
  /** What its contacts name to be woken; '' for none. */
  readonly device: string;
}

interface Decision {
  readonly status: number;
  /** What there is then; of bindings that are made, the end as it is asked for. */
  readonly next: readonly Bound[];
}

/** What sleeps is taken up by its device, under whatever contact, and makes place for others. @param bindings that live, or sleep */
export function decide(asked: Asked, bindings: readonly Bound[], rules: Rules, now: number): Decision {
  const refused = (status: number) => ({ status, next: bindings });
  const { kind, contacts, callId, cseq, seconds, flow } = asked;
  if (kind === 'fetch') return { status: 200, next: bindings };
  if (kind === 'bind' && seconds < 3600 && seconds < rules.minS) return refused(423);
  const push = asked.device !== '' && rules.push && rules.maxS >= rules.push.shortestS ? rules.push : null;
  if (kind === 'bind' && push !== null && seconds < push.shortestS) return refused(423);
  const named = (one: Bound) => kind === 'star' || contacts.includes(one.contact);
  const isLate = (one: Bound) => one.callId === callId && (one.isAsleep ? cseq < one.cseq : cseq <= one.cseq);
  if (bindings.some((one) => named(one) && isLate(one))) return refused(500);
  if (kind !== 'bind') return { status: 200, next: bindings.filter((one) => !named(one)) };
  const expiresAt = now + Math.min(seconds, rules.maxS) * 1000;
  const device = push === null ? '' : asked.device;
  const made = (contact: string): Bound => ({ contact, callId, cseq, expiresAt, flow, device, isAsleep: false });
  const left = bindings.filter((one) => named(one) || !one.isAsleep || device === '' || one.device !== device);
  let next = left.map((one) => (named(one) ? made(one.contact) : one));
  for (const contact of contacts) if (!next.some((one) => one.contact === contact)) next.push(made(contact));
  const more = next.length - bindings.length;
  if (more > 0) next = withoutSleepers(next, next.length - rules.contactsMax);
  if (more > 0 && (next.length > rules.contactsMax || more > (rules.room ?? more))) return refused(403);
  return { status: 200, next };
}

/** Without the first of those that sleep, so many. */
function withoutSleepers(bindings: readonly Bound[], count: number): Bound[] {
  let left = count;
  return bindings.filter(({ isAsleep }) => !isAsleep || left-- <= 0);
}

/** The least that may be granted to who asks for so much, in seconds. @param device of the binding: its push comes before the end */
export function leastGranted(seconds: number, { minS, maxS, jitterPercent, push }: Rules, device: string): number {
  const most = Math.min(seconds, maxS);
  const least = Math.max(minS, device === '' ? 0 : (push?.shortestS ?? 0));
  if (jitterPercent === 0 || most <= least) return most;
  return Math.max(least, most - Math.floor((most * jitterPercent) / 100));
}

export type Change =
  | { readonly kind: 'record'; readonly bindings: readonly Bound[] }
  /** Of the AOR's only binding. */
  | { readonly kind: 'refresh'; readonly expiresAt: number; readonly cseq: number }
  | { readonly kind: 'removal' };

interface Aor {
  kept: readonly Bound[];
  /** Batches that failed: after a crash they may be found to hold, until a later one surely does. */
  readonly maybe: Change[];
  /** Its bytes could not be read: it may have been given up. */
  damaged: boolean;
  /** Bindings that it ever had, by contact, Call-ID and CSeq. */
  readonly ever: Set<string>;
}

/** What each AOR has; after a crash, what it may have. */
export class Registrations {
  private readonly aors: Aor[];

  constructor(count: number) {
    this.aors = Array.from({ length: count }, () => ({ kept: [], maybe: [], damaged: false, ever: new Set<string>() }));
  }

  /** As a backup has it. */
  copy(): Registrations {
    const copy = new Registrations(0);
    for (const { kept, maybe, damaged, ever } of this.aors)
      copy.aors.push({ kept, maybe: [...maybe], damaged, ever: new Set(ever) });
    return copy;
  }

  get size(): number {
    return this.aors.length;
  }

  kept(n: number): readonly Bound[] {
    return this.aors[n].kept;
  }

  isDamaged(n: number): boolean {
    return this.aors[n].damaged;
  }

  /** What could not be read may be gone, or be there again as it once was. */
  mayComeBack(n: number, found: readonly Bound[], isLoose = false): boolean {
    const { damaged, ever } = this.aors[n];
    return (damaged || isLoose) && found.every((one) => ever.has(nameOf(one)));
  }

  damage(n: number): void {
    this.aors[n].damaged = true;
  }

  /** A batch of the shard that has the AORs `ofShard` holds; with `lasting` whatever comes, else it only takes what has run out. */
  committed(changes: ReadonlyMap<number, Change>, lasting: boolean, ofShard: (n: number) => boolean): void {
    if (lasting) for (const [n, aor] of this.aors.entries()) if (ofShard(n)) aor.maybe.length = 0;
    for (const [n, change] of changes) {
      const aor = this.aors[n];
      remember(aor, change);
      aor.kept = after(aor.kept, change);
      // A cut of power may undo what does not last: then what could not be read may be there again.
      if (lasting && change.kind !== 'refresh') aor.damaged = false;
    }
  }

  failed(changes: ReadonlyMap<number, Change>): void {
    for (const [n, change] of changes) {
      this.aors[n].maybe.push(change);
      remember(this.aors[n], change);
    }
  }

  /** What a start, or a look, has found: it stays. */
  shown(n: number, found: readonly Bound[], isStart: boolean): void {
    this.aors[n].kept = found;
    if (isStart) this.aors[n].maybe.length = 0;
  }

  /** All that a start may find. */
  allowed(n: number): (readonly Bound[])[] {
    const { kept, maybe } = this.aors[n];
    const allowed = [kept];
    for (const change of maybe) for (const one of [...allowed]) allowed.push(after(one, change));
    return allowed;
  }
}

function after(kept: readonly Bound[], change: Change): readonly Bound[] {
  if (change.kind === 'record') return change.bindings;
  if (change.kind === 'removal') return [];
  const { expiresAt, cseq } = change;
  return kept.map((one) => ({ ...one, expiresAt, cseq }));
}

/** A refresh is of whatever binding there is: where the newest record cannot be read, of an older one. */
function remember({ kept, ever }: Aor, change: Change): void {
  for (const one of after(kept, change)) ever.add(nameOf(one));
  if (change.kind !== 'refresh') return;
  for (const name of [...ever]) ever.add(`${name.slice(0, name.lastIndexOf(' '))} ${change.cseq}`);
}

function nameOf({ contact, callId, cseq }: Bound): string {
  return `${contact} ${callId} ${cseq}`;
}
