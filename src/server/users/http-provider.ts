// Users from a web service: GET by user and realm → HA1s. What it says goes into the user store with an expiry, where the
// shards find it; here are the questions on their way, the breaker and the bounds. Runs on the main thread, never in a shard.

import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { HA1_COLUMNS, type Ha1Set, parseHa1 } from '../../users/ha1.ts';
import { PROVIDER_DOWN, PROVIDER_UP } from '../../users/user-lookup.ts';
import { checkUserName, parseAor, type UserName } from '../../users/user-name.ts';
import { USER_NAME_BYTES_MAX } from '../../users/user-record.ts';
import type { UserStore } from '../../users/user-store.ts';
import { rulesText } from '../config/user-rules.ts';
import type { Log } from '../process/log.ts';
import { CircuitBreaker } from './circuit-breaker.ts';
import type { HttpProviderOptions } from './provider-options.ts';

/** What became of a question; the user store holds the answer when it resolves. */
export type AskResult = 'found' | 'none' | 'unavailable';

/** Not there, gone, or a name that the service does not take: that names can be odd must not open the breaker. */
const NO_SUCH_USER = [400, 404, 410, 414, 422];
const BODY_BYTES_MAX = 256 << 10;
/** "No such user" kept at once: names can be made up without end. */
const NEGATIVES_MAX = 65_536;
const SWEEP_MS = 600_000;
/** After a failure an old answer is used this long before the service is asked again. */
const STALE_RETRY_MS = 5000;

const ha1Hex = z.string().optional();
const Body = z.object({
  ha1: ha1Hex,
  ha1_sha256: ha1Hex,
  ha1_sha512_256: ha1Hex,
  ha1b: ha1Hex,
  ha1b_sha256: ha1Hex,
  ha1b_sha512_256: ha1Hex,
  aors: z.array(z.string()).max(1000).optional(),
  policy: z.unknown().optional(),
});

export class HttpProvider {
  /** PROVIDER_*, for the shards. */
  readonly state = new Int32Array(new SharedArrayBuffer(4));
  /** Questions sent; for tests and counters. */
  asked = 0;
  private readonly options: HttpProviderOptions;
  private readonly store: UserStore;
  private readonly log: Log;
  private readonly now: () => number;
  private readonly breaker: CircuitBreaker;
  /** By user, from the question to its answer. */
  private readonly pending = new Map<string, Promise<AskResult>>();
  private readonly queue: (() => void)[] = [];
  private readonly negatives = new Map<string, UserName>();
  private readonly closing = new AbortController();
  private active = 0;
  private sweeping: Promise<void> | undefined;

  /** @param now the time that shards compare with what is learnt, epoch ms */
  constructor(options: HttpProviderOptions, store: UserStore, log: Log, now: () => number = Date.now) {
    this.now = now;
    this.options = options;
    this.store = store;
    this.log = log;
    this.breaker = new CircuitBreaker(options);
  }

  /** Clears what earlier processes left behind and keeps clearing what has expired. */
  async start(): Promise<void> {
    await this.store.forget((user) => user.none || user.usableUntil < this.now());
    this.sweeping = this.sweep();
  }

  async close(): Promise<void> {
    this.closing.abort();
    await Promise.allSettled([...this.pending.values(), this.sweeping]);
  }

  /**
   * Asks for a user, "name" or "name@realm". However many ask for the same one, the service is asked once. Never rejects.
   * After 'found' and 'none' the store has the answer, whatever the name.
   */
  ask(text: string, realm: string): Promise<AskResult> {
    const suffix = `@${realm}`;
    const name =
      text.toLowerCase().endsWith(suffix) && text.length > suffix.length ? text.slice(0, -suffix.length) : text;
    const key = `${realm}\0${name}`;
    const earlier = this.pending.get(key);
    if (earlier !== undefined) return earlier;
    if (name === '' || Buffer.byteLength(name) > USER_NAME_BYTES_MAX || key.indexOf('\0') !== key.lastIndexOf('\0'))
      return Promise.resolve('unavailable');
    const answer = this.answer({ name, realm })
      .catch((error: unknown): AskResult => {
        this.log('error', 'what the user service said cannot be stored', { reason: String(error) });
        return 'unavailable';
      })
      .finally(() => this.pending.delete(key));
    this.pending.set(key, answer);
    return answer;
  }

  private async answer(user: UserName): Promise<AskResult> {
    const known = this.store.learnt(user);
    if (known !== undefined && known.freshUntil >= this.now()) return known.none ? 'none' : 'found';
    if (this.pending.size > this.options.queueMax + this.options.concurrency) return this.stale(user);
    await this.turn();
    try {
      if (this.closing.signal.aborted || !this.breaker.admits(this.now())) return await this.stale(user);
      const found = await this.fetchUser(user);
      if (this.breaker.succeeded()) this.log('info', 'the user service answers again');
      Atomics.store(this.state, 0, PROVIDER_UP);
      return await this.learn(user, found);
    } catch (error) {
      if (error instanceof StoreError) throw error.cause;
      this.failed(error);
      return await this.stale(user);
    } finally {
      this.passTurn();
    }
  }

  private async turn(): Promise<void> {
    if (this.active < this.options.concurrency) this.active++;
    else await new Promise<void>((resolve) => this.queue.push(resolve));
  }

  private passTurn(): void {
    const next = this.queue.shift();
    if (next === undefined) this.active--;
    else next();
  }

  private failed(error: unknown): void {
    if (this.closing.signal.aborted) return;
    const { openMs } = this.options;
    const now = this.now();
    if (this.breaker.failedAt(now)) {
      this.log('warn', 'the user service fails and is left alone for a while', { reason: reasonOf(error), ms: openMs });
    }
    if (!this.breaker.isOpen(now)) return;
    Atomics.store(this.state, 0, PROVIDER_DOWN);
    // Then the shards ask again, and the first question is the trial.
    setTimeout(() => Atomics.store(this.state, 0, PROVIDER_UP), openMs).unref();
  }

  /** The service cannot be asked: an old answer goes on for a little. */
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
    const { ttlS, negativeTtlS, staleS } = this.options;
    const freshUntil = this.now() + 1000 * (found === null ? negativeTtlS : ttlS);
    const usableUntil = freshUntil + (found === null ? 0 : 1000 * staleS);
    const { ha1s, aors, rules } = found ?? { ha1s: [], aors: [], rules: '' };
    try {
      await this.store.learn({ ...user, ha1s, aors, rules, none: found === null, freshUntil, usableUntil });
      if (found === null) await this.rememberNegative(user);
    } catch (cause) {
      throw new StoreError('', { cause });
    }
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

  /** Null: there is no such user. Throws where the service does not say. */
  private async fetchUser({ name, realm }: UserName): Promise<FoundUser | null> {
    if (!isUserName(name, realm)) return null;
    this.asked++;
    const url = this.options.url
      .replaceAll('{user}', encodeURIComponent(name))
      .replaceAll('{realm}', encodeURIComponent(realm));
    const { timeoutMs, headers } = this.options;
    const stop = new AbortController();
    const late = setTimeout(() => stop.abort(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
    const closed = () => stop.abort(new Error('closed'));
    this.closing.signal.addEventListener('abort', closed);
    try {
      const response = await fetch(url, {
        headers: { accept: 'application/json', ...headers },
        redirect: 'error',
        signal: stop.signal,
      });
      if (response.status === 200) return readBody(await boundedText(response));
      await response.body?.cancel();
      if (NO_SUCH_USER.includes(response.status)) return null;
      throw new Error(`status ${response.status}`);
    } finally {
      clearTimeout(late);
      this.closing.signal.removeEventListener('abort', closed);
    }
  }

  private async sweep(): Promise<void> {
    const { signal } = this.closing;
    while (!signal.aborted) {
      await delay(SWEEP_MS, undefined, { signal, ref: false }).catch(() => {});
      if (signal.aborted) return;
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

interface FoundUser {
  readonly ha1s: Ha1Set;
  readonly aors: readonly string[];
  readonly rules: string;
}

class StoreError extends Error {}

function readBody(text: string): FoundUser {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw new Error('the answer is not JSON');
  }
  const parsed = Body.safeParse(json);
  if (!parsed.success) throw new Error('the answer has a field of another kind');
  const fields = parsed.data as Readonly<Record<string, string | undefined>>;
  const ha1s = HA1_COLUMNS.map(([column], kind) => {
    const hex = fields[column];
    const ha1 = hex === undefined ? undefined : parseHa1(hex, kind);
    if (hex !== undefined && ha1 === undefined) throw new Error(`${column} is no HA1`);
    return ha1;
  });
  if (ha1s.every((ha1) => ha1 === undefined)) throw new Error('the answer has no HA1');
  const { aors = [], policy } = parsed.data;
  return { ha1s, aors: aors.map(parseAor), rules: policy == null ? '' : rulesText(policy) };
}

/** Whether there may be such a user at all. */
function isUserName(name: string, realm: string): boolean {
  try {
    return checkUserName(name, realm).realm === realm;
  } catch {
    return false;
  }
}

async function boundedText(response: Response): Promise<string> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of response.body ?? []) {
    bytes += part.length;
    if (bytes > BODY_BYTES_MAX) throw new Error('the answer is too long');
    parts.push(part);
  }
  return Buffer.concat(parts).toString();
}

/** fetch says "fetch failed" and keeps the reason to itself. */
function reasonOf(error: unknown): string {
  const { cause, message } = error as Error;
  return cause instanceof Error && cause.message !== '' ? cause.message : message;
}
