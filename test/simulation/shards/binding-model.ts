// What an AOR may have bound, as simple as can be: a list of possible states, each a list of bindings. An answer picks those that agree
// with it; what nobody knows of (a commit that failed before a crash) adds some.

export interface Ask {
  readonly callId: string;
  readonly cseq: number;
  /** Contacts with what they ask for, seconds; 0 removes. None: a fetch. */
  readonly contacts: readonly { readonly uri: string; readonly seconds: number }[];
  /** `Contact: *` */
  readonly star: boolean;
}

export interface Bound {
  readonly uri: string;
  readonly callId: string;
  readonly cseq: number;
  /** It ends between these, both included: epoch ms. */
  readonly from: number;
  readonly to: number;
}

/** A row of a 200: a contact, and whole seconds that are left. */
export interface Row {
  readonly uri: string;
  readonly seconds: number;
}

type State = readonly Bound[];

/** Less is granted than was asked for by at most this share. */
const JITTER = 0.1;

export class BindingModel {
  private possible: State[] = [[]];
  /** Asked for, and told that it failed, or told nothing: after a crash it may have been done. */
  private unsure: { readonly ask: Ask; readonly at: number }[] = [];

  /** A 200 has come. Undefined, or what is wrong with it. */
  done(ask: Ask, rows: readonly Row[], now: number): string | undefined {
    const agreeing: State[] = [];
    for (const state of this.possible.flatMap((one) => withoutEnding(one, now))) {
      const next = after(state, ask, now);
      for (const candidate of next === undefined ? [state] : isRepeat(state, ask) ? [next, state] : [next]) {
        const seen = agree(candidate, rows, now);
        if (seen !== undefined) agreeing.push(seen);
      }
    }
    if (agreeing.length === 0) return `listed ${text(rows)} instead of ${this.describe(ask, now)}`;
    this.possible = distinct(agreeing);
    return undefined;
  }

  /** Whether a 500 for an old CSeq is right. */
  mayBeStale(ask: Ask, now: number): boolean {
    return this.possible.some((state) => after(state, ask, now) === undefined);
  }

  /** It was refused for good, unless the process ends before the next commit that lasts. */
  failed(ask: Ask, at: number): void {
    this.unsure.push({ ask, at });
  }

  /** A later batch of the shard lasts. */
  firm(): void {
    if (this.unsure.length > 0) this.unsure = [];
  }

  /** The connection that these contacts lived by has ended. */
  cut(uris: readonly string[]): void {
    this.possible = distinct(this.possible.map((state) => state.filter(({ uri }) => !uris.includes(uri))));
  }

  /** The process has ended. */
  crashed(): void {
    for (const { ask, at } of this.unsure) {
      this.possible = distinct([...this.possible, ...this.possible.map((state) => after(state, ask, at) ?? state)]);
    }
    this.unsure = [];
  }

  describe(ask: Ask, now: number): string {
    return this.possible.map((state) => text(rowsOf(after(state, ask, now) ?? state, now))).join(' or ');
  }
}

/** A binding that ends in this second may be over. */
function withoutEnding(state: State, now: number): State[] {
  const surely = state.filter(({ from }) => from > now);
  return surely.length === state.length ? [state] : [state, surely];
}

/** RFC 3261 §10.3 steps 6 and 7; undefined: an old CSeq. */
function after(state: State, { contacts, star, callId, cseq }: Ask, now: number): State | undefined {
  const live = state.filter(({ to }) => to > now);
  const isOld = (bound: Bound) => bound.callId === callId && bound.cseq >= cseq;
  if (star) return live.some(isOld) ? undefined : [];
  if (live.some((bound) => isOld(bound) && contacts.some(({ uri }) => uri === bound.uri))) return undefined;
  const kept = live.filter(({ uri }) => !contacts.some((contact) => contact.uri === uri));
  for (const { uri, seconds } of contacts) {
    if (seconds === 0) continue;
    const least = Math.floor(seconds * (1 - JITTER)) - 1;
    kept.push({ uri, callId, cseq, from: now + least * 1000, to: now + seconds * 1000 + 999 });
  }
  return kept;
}

/** The same request was done before: in another life of the shard it may be answered again. */
function isRepeat(state: State, { contacts, callId, cseq }: Ask): boolean {
  return contacts.every(
    ({ uri, seconds }) =>
      state.some((bound) => bound.uri === uri && bound.callId === callId && bound.cseq === cseq) || seconds === 0,
  );
}

/** The state with what the rows say of its ends; undefined where they contradict it. */
function agree(state: State, rows: readonly Row[], now: number): State | undefined {
  const seen: Bound[] = [];
  for (const bound of state) {
    const row = rows.find(({ uri }) => uri === bound.uri);
    if (row === undefined) {
      if (bound.from >= now + 1000) return undefined;
      continue;
    }
    // Less than a second is told as one.
    const from = Math.max(bound.from, row.seconds === 1 ? now : now + row.seconds * 1000);
    const to = Math.min(bound.to, now + row.seconds * 1000 + 999);
    if (from > to) return undefined;
    seen.push({ ...bound, from, to });
  }
  return rows.length === seen.length ? seen : undefined;
}

function distinct(states: readonly State[]): State[] {
  const byText = new Map<string, State>();
  for (const state of states) byText.set(JSON.stringify([...state].sort((a, b) => (a.uri < b.uri ? -1 : 1))), state);
  return [...byText.values()];
}

function rowsOf(state: State, now: number): Row[] {
  return state.map(({ uri, to }) => ({ uri, seconds: Math.floor((to - now) / 1000) }));
}

function text(rows: readonly Row[]): string {
  return rows.length === 0 ? 'nothing' : rows.map(({ uri, seconds }) => `${uri} ${seconds} s`).join(', ');
}
