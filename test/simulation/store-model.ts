// What a store must hold, AOR by AOR: one value, or several where a crash or a damaged byte leaves it open. Small on purpose: it
// knows values and operations, nothing of logs.

/** What an AOR has: the text its record was made of, and what the last refresh gave it. */
export interface Value {
  readonly text: string;
  readonly expiresAt: number;
  readonly cseq: number;
}

export type Operation =
  | { readonly kind: 'record'; readonly n: number; readonly value: Value; readonly bytes: number }
  | { readonly kind: 'refresh'; readonly n: number; readonly expiresAt: number; readonly cseq: number }
  /** Idle: the store has nothing of it, and writes nothing. */
  | { readonly kind: 'removal'; readonly n: number; readonly idle: boolean };

/** Undefined: the AOR has nothing. */
export type Kept = Value | undefined;

/** Not known to outlive a crash, not known not to. */
interface Maybe {
  readonly operation: Operation;
  /** It does not hold while the store lives. */
  readonly refused: boolean;
  /** What waited for the next sync does not get it where that failed. */
  loose: boolean;
}

interface Aor {
  kept: Kept;
  readonly maybe: Maybe[];
  /** Bytes of it were damaged: it may have anything that it ever had, or nothing. */
  damaged: boolean;
  readonly texts: Set<string>;
  /** What it had before damage took it, once for each time. */
  readonly taken: Kept[];
  /** What it had when it ran out, where its removal did not wait for a sync: what has run out harms nobody where it comes back. */
  ranOut: Kept;
}

export class StoreModel {
  private readonly aors: Aor[];

  constructor(aors: number) {
    this.aors = Array.from({ length: aors }, () => ({
      kept: undefined,
      maybe: [],
      damaged: false,
      texts: new Set<string>(),
      taken: [],
      ranOut: undefined,
    }));
  }

  get size(): number {
    return this.aors.length;
  }

  kept(n: number): Kept {
    return this.aors[n].kept;
  }

  isDamaged(n: number): boolean {
    return this.aors[n].damaged;
  }

  /** A batch holds, whatever happens; where it is not `lasting`, a cut of power may still undo it. */
  committed(operations: readonly Operation[], lasting: boolean): void {
    for (const operation of operations) {
      const aor = this.aors[operation.n];
      if (operation.kind === 'removal' && operation.idle) continue;
      this.learn(aor, operation);
      if (!lasting) {
        if (operation.kind === 'removal') aor.ranOut = now(aor);
        aor.maybe.push({ operation, refused: false, loose: false });
        continue;
      }
      aor.kept = after(aor.kept, operation);
      aor.maybe.length = 0;
      aor.ranOut = undefined;
      if (operation.kind === 'refresh') continue;
      aor.damaged = false;
      aor.taken.length = 0;
    }
    if (lasting) this.firm();
  }

  /** A batch failed: it does not hold now; after a crash, before the next that lasts, nobody can tell. */
  failed(operations: readonly Operation[]): void {
    for (const operation of operations) {
      this.learn(this.aors[operation.n], operation);
      this.aors[operation.n].maybe.push({ operation, refused: true, loose: false });
    }
  }

  /** The log met a failure: what waited for a sync does not get it any more. */
  loosen(): void {
    for (const { maybe } of this.aors) for (const one of maybe) if (!one.refused) one.loose = true;
  }

  damage(n: number): void {
    this.aors[n].damaged = true;
  }

  /** Why the store that lives may not hold this; undefined: it may. */
  wrongNow(n: number, found: Kept): string | undefined {
    const aor = this.aors[n];
    const kept = now(aor);
    if (same(found, kept)) return undefined;
    return this.damagedMay(aor, found) ? undefined : `${describe(found)} instead of ${describe(kept)}`;
  }

  /** Why a store that was started anew may not hold this. */
  wrongAfterStart(n: number, found: Kept): string | undefined {
    const allowed = this.allowed(n);
    if (allowed.some((kept) => same(kept, found)) || this.damagedMay(this.aors[n], found)) return undefined;
    return `${describe(found)} instead of ${allowed.map(describe).join(' or ')}`;
  }

  /** What a start has shown stays. Whether something was lost by damage. */
  shown(n: number, found: Kept): boolean {
    const aor = this.aors[n];
    const isLost = ![...this.allowed(n), ...aor.taken].some((kept) => same(kept, found));
    if (isLost) aor.taken.push(aor.kept);
    const had = now(aor);
    if (aor.damaged && !same(had, found)) aor.taken.push(had); // its removal could not be read: a later start may read it
    aor.kept = found;
    aor.maybe.length = 0;
    return isLost;
  }

  /** The same for what the store that lives has of an AOR that damage may have cost. */
  shownNow(n: number, found: Kept): boolean {
    const aor = this.aors[n];
    if (same(aor.kept, found) || aor.maybe.length > 0) return false;
    aor.kept = found;
    return true;
  }

  private allowed(n: number): Kept[] {
    const { kept, maybe, ranOut } = this.aors[n];
    const allowed: Kept[] = kept === undefined ? [kept, ranOut] : [kept];
    for (const { operation } of maybe) {
      for (const one of [...allowed]) {
        const next = after(one, operation);
        if (!allowed.some((other) => same(other, next))) allowed.push(next);
      }
    }
    return allowed;
  }

  /** What was refused is refused for good; what had not lasted, lasts. */
  private firm(): void {
    for (const aor of this.aors) {
      if (aor.maybe.length === 0) continue;
      const loose: Maybe[] = [];
      for (const one of aor.maybe) {
        if (one.loose) loose.push(one);
        else if (!one.refused) aor.kept = after(aor.kept, one.operation);
      }
      if (loose.length === 0 && aor.maybe.some(({ refused }) => !refused)) aor.ranOut = undefined;
      aor.maybe.splice(0, aor.maybe.length, ...loose);
    }
  }

  private damagedMay({ damaged, texts }: Aor, found: Kept): boolean {
    return damaged && (found === undefined || texts.has(found.text));
  }

  private learn(aor: Aor, operation: Operation): void {
    if (operation.kind === 'record') aor.texts.add(operation.value.text);
  }
}

/** While the store lives. */
function now({ kept, maybe }: Aor): Kept {
  return maybe.reduce((value, { operation, refused }) => (refused ? value : after(value, operation)), kept);
}

function after(kept: Kept, operation: Operation): Kept {
  if (operation.kind === 'removal') return undefined;
  if (operation.kind === 'record') return operation.value;
  return kept && { ...kept, expiresAt: operation.expiresAt, cseq: operation.cseq };
}

function same(a: Kept, b: Kept): boolean {
  if (a === undefined || b === undefined) return a === b;
  return a.text === b.text && a.expiresAt === b.expiresAt && a.cseq === b.cseq;
}

export function describe(kept: Kept): string {
  return kept === undefined ? 'nothing' : `${kept.text} until ${kept.expiresAt} cseq ${kept.cseq}`;
}
