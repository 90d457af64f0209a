// Users from elsewhere (a web service, a database, the surrounding program). Their HA1s are put into the user store with an expiry,
// where the shards find them; this file has the questions in progress, the breaker and the limits. Runs on the main thread, never
// in a shard.

import { setTimeout as delay } from 'node:timers/promises';
import { PROVIDER_DOWN, PROVIDER_UP } from '../../users/user-lookup.ts';
import { checkUserName, type UserName } from '../../users/user-name.ts';
import { USER_NAME_BYTES_MAX } from '../../users/user-record.ts';
import type { UserStore } from '../../users/user-store.ts';
import type { Log } from '../process/log.ts';
import { reasonOf } from '../process/reason-of.ts';
import { withinTime } from '../process/time-limit.ts';
import { CircuitBreaker } from './circuit-breaker.ts';
import { type FoundUser, UnusableUserError } from './found-user.ts';
import type { ProviderLimits } from './provider-options.ts';

/** The subject of a question: a user, or the user of an access token, whose name is made of the token (core/auth/bearer.ts). */
export interface Question extends UserName {
  readonly token?: string | undefined;
}

/** A source of users. */
export interface UserSource {
  /** For the log, as the subject of a sentence. */
  readonly name: string;
  /** False: there is no such user, which the source is not asked about. By default it is asked about all. */
  knowsOf?(user: Question): boolean;
  /** Null: there is no such user. Rejects where the answer is not known, or once `signal` reports that nobody waits any more. */
  find(user: Question, signal: AbortSignal): Promise<FoundUser | null>;
  close?(): Promise<void>;
}

/** The result of a question; the user store holds the answer when it resolves. */
export type AskResult = 'found' | 'none' | 'unavailable';

/** Answers of the source since the start; `failed`: none in time, or an unusable one. */
interface ProviderCounts {
  found: number;
  none: number;
  failed: number;
}

export interface ProviderReport {
  readonly counts: Readonly<ProviderCounts>;
  /** False while the source is not asked after failures. */
  readonly isUp: boolean;
}

/** "No such user" entries kept at once: names can be invented without end. */
const NEGATIVES_MAX = 65_536;
const SWEEP_MS = 600_000;
/** Users with a log line between two sweeps, at most. */
const TOLD_MAX = 256;
/** Failures before the breaker opens share one log line in this time. */
const TOLD_FAILURE_MS = 60_000;
/** After a failure an old answer is used this long before the source is asked again. */
const STALE_RETRY_MS = 5000;

export class UserProvider {
  /** State for the shards, PROVIDER_*. */
  readonly state = new Int32Array(new SharedArrayBuffer(4));
  private readonly counts: ProviderCounts = { found: 0, none: 0, failed: 0 };
  private readonly source: UserSource;
  private readonly limits: ProviderLimits;
  private readonly store: UserStore;
  private readonly log: Log;
  private readonly now: () => number;
  private readonly breaker: CircuitBreaker;
  /** By user, from the question to its answer. */
  private readonly pending = new Map<string, Promise<AskResult>>();
  private readonly queue: (() => void)[] = [];
  private readonly negatives = new Map<string, UserName>();
  /** Users with a log line since the last sweep. */
  private readonly told = new Set<string>();
  private readonly closing = new AbortController();
  private active = 0;
  private toldFailureAt = Number.NEGATIVE_INFINITY;
  private sweeping: Promise<void> | undefined;

  /** @param now the time that shards compare answers' lifetimes with, epoch ms */
  constructor(source: UserSource, limits: ProviderLimits, store: UserStore, log: Log, now: () => number = Date.now) {
    this.now = now;
    this.source = source;
    this.limits = limits;
    this.store = store;
    this.log = log;
    this.breaker = new CircuitBreaker(limits);
  }

  /** Clears entries of earlier processes and keeps clearing expired ones. */
  async start(): Promise<void> {
    await this.store.forget((user) => user.none || user.usableUntil < this.now());
    this.sweeping = this.sweep();
  }

  get report(): ProviderReport {
    return { counts: { ...this.counts }, isUp: this.state[0] === PROVIDER_UP };
  }

  async close(): Promise<void> {
    this.closing.abort();
    await Promise.allSettled([...this.pending.values(), this.sweeping]);
    await this.source.close?.();
  }

  /**
   * Asks for a user, "name" or "name@realm". The source is asked once for all concurrent callers of one user. Never rejects. After
   * 'found' and 'none' the store has the answer, for any name.
   */
  ask(text: string, realm: string, token?: string): Promise<AskResult> {
    const suffix = `@${realm}`;
    const name =
      text.toLowerCase().endsWith(suffix) && text.length > suffix.length ? text.slice(0, -suffix.length) : text;
    const key = `${realm}\0${name}`;
    const earlier = this.pending.get(key);
    if (earlier !== undefined) return earlier;
    if (name === '' || Buffer.byteLength(name) > USER_NAME_BYTES_MAX || key.indexOf('\0') !== key.lastIndexOf('\0'))
      return Promise.resolve('unavailable');
    const answer = this.answer({ name, realm, token })
      .catch((error: unknown): AskResult => {
        this.log('error', 'what was told of a user cannot be stored', { reason: String(error) });
        return 'unavailable';
      })
      .finally(() => this.pending.delete(key));
    this.pending.set(key, answer);
    return answer;
  }

  private async answer({ token, ...user }: Question): Promise<AskResult> {
    const known = this.store.learnt(user);
    if (known !== undefined && known.freshUntil >= this.now()) return known.none ? 'none' : 'found';
    if (this.pending.size > this.limits.queueMax + this.limits.concurrency) return this.stale(user);
    if (!this.mayExist({ ...user, token })) return this.learn(user, null);
    await this.turn();
    try {
      if (this.closing.signal.aborted || !this.breaker.allows(this.now())) return await this.stale(user);
      let found: FoundUser | null;
      try {
        found = await this.fetchUser({ ...user, token });
      } catch (error) {
        if (error instanceof UnusableUserError) this.refused(user, error);
        else this.failed(error);
        return await this.stale(user);
      }
      this.succeeded();
      return await this.learn(user, found);
    } finally {
      this.passTurn();
    }
  }

  /** False: nobody can have this name, or the source does not know of such users. It says nothing of the source's state. */
  private mayExist(user: Question): boolean {
    if (user.token === undefined && !isUserName(user.name, user.realm)) return false;
    return this.source.knowsOf?.(user) ?? true;
  }

  private async turn(): Promise<void> {
    if (this.active < this.limits.concurrency) this.active++;
    else await new Promise<void>((resolve) => this.queue.push(resolve));
  }

  private passTurn(): void {
    const next = this.queue.shift();
    if (next === undefined) this.active--;
    else next();
  }

  private succeeded(): void {
    if (this.breaker.succeeded()) this.log('info', `${this.source.name} answers again`);
    Atomics.store(this.state, 0, PROVIDER_UP);
  }

  /** The source works: a faulty answer about one user must not affect others. */
  private refused({ name, realm }: UserName, { message }: UnusableUserError): void {
    this.succeeded();
    this.counts.failed++;
    const user = `${name}@${realm}`;
    if (this.told.has(user) || this.told.size >= TOLD_MAX) return;
    this.told.add(user);
    this.log('warn', `${this.source.name} tells of a user what makes no sense`, { user, reason: message });
  }

  private failed(error: unknown): void {
    if (this.closing.signal.aborted) return;
    this.counts.failed++;
    const { openMs } = this.limits;
    const now = this.now();
    if (this.breaker.failedAt(now)) {
      this.log('warn', `${this.source.name} fails and is left alone for a while`, {
        reason: reasonOf(error),
        ms: openMs,
      });
    } else this.tellFailure(error, now);
    if (!this.breaker.isOpen(now)) return;
    Atomics.store(this.state, 0, PROVIDER_DOWN);
    // Then the shards ask again, and the first question is the trial.
    setTimeout(() => Atomics.store(this.state, 0, PROVIDER_UP), openMs).unref();
  }

  /** One failure causes a 503, so it has a line; further ones are counted until the next line, a minute later. */
  private tellFailure(error: unknown, now: number): void {
    if (this.breaker.isOpen(now) || now - this.toldFailureAt < TOLD_FAILURE_MS) return;
    this.toldFailureAt = now;
    this.log('warn', `${this.source.name} fails`, { reason: reasonOf(error) });
  }

  /** The source cannot be asked: an old answer stays valid for a little. */
  private async stale(user: UserName): Promise<AskResult> {
    const known = this.store.learnt(user);
    const now = this.now();
    if (known === undefined || known.usableUntil < now) return 'unavailable';
    if (known.freshUntil < now) {
      await this.store.learn({ ...known, freshUntil: Math.min(known.usableUntil, now + STALE_RETRY_MS) });
    }
    return known.none ? 'none' : 'found';
  }

  private async learn(user: UserName, found: FoundUser | null): Promise<AskResult> {
    const { ttlS, negativeTtlS, staleS } = this.limits;
    const ends = found?.until ?? Number.POSITIVE_INFINITY;
    const freshUntil = Math.min(ends, this.now() + 1000 * (found === null ? negativeTtlS : ttlS));
    const usableUntil = Math.min(ends, freshUntil + (found === null ? 0 : 1000 * staleS));
    const { ha1s, aors, rules } = found ?? { ha1s: [], aors: [], rules: '' };
    await this.store.learn({ ...user, ha1s, aors, rules, none: found === null, freshUntil, usableUntil });
    if (found === null) await this.rememberNegative(user);
    return found === null ? 'none' : 'found';
  }

  private async rememberNegative(user: UserName): Promise<void> {
    const key = `${user.realm}\0${user.name}`;
    this.negatives.delete(key);
    this.negatives.set(key, user);
    if (this.negatives.size <= NEGATIVES_MAX) return;
    const oldest = [...this.negatives].slice(0, NEGATIVES_MAX >> 4);
    for (const [name] of oldest) this.negatives.delete(name);
    await this.store.unlearn(oldest.map(([, negative]) => negative).filter((u) => this.store.learnt(u)?.none === true));
  }

  /** Null: there is no such user. Throws where the source does not answer in time. */
  private async fetchUser(user: Question): Promise<FoundUser | null> {
    const found = await withinTime(this.limits.timeoutMs, this.closing.signal, (stop) =>
      Promise.race([this.source.find(user, stop), rejection(stop)]),
    );
    this.counts[found === null ? 'none' : 'found']++;
    return found;
  }

  private async sweep(): Promise<void> {
    const { signal } = this.closing;
    while (!signal.aborted) {
      await delay(SWEEP_MS, undefined, { signal, ref: false }).catch(() => {});
      if (signal.aborted) return;
      this.told.clear();
      const now = this.now();
      await this.store
        .forget((user) => user.usableUntil < now)
        .catch((error: unknown) => {
          this.log('error', 'expired users cannot be taken out of the store', { reason: String(error) });
        });
      for (const [key, user] of this.negatives) if (this.store.learnt(user) === undefined) this.negatives.delete(key);
    }
  }
}

/** Whether a user of this name can exist at all. */
function isUserName(name: string, realm: string): boolean {
  try {
    return checkUserName(name, realm).realm === realm;
  } catch {
    return false;
  }
}

function rejection(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}
