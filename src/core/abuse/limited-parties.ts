// The parties that abuse control limits, by name: its tables have only hashes, so each party that the log names is noted here.
// Bounded; a party that is no longer limited is forgotten. Rare work, plain code.

import { type IpPrefix, parseIpPrefix } from '../../sip/ip-prefix.ts';
import { createPeers } from '../../sip/sources.ts';
import type { AbusePolicy } from './abuse-policy.ts';
import type { GuessedAors } from './guessed-aors.ts';
import { OF_AGGREGATE, OF_SOURCE, type SourceHash } from './source-hash.ts';
import { NOBODY, type SourceScores } from './source-scores.ts';

/** Reasons of refusals, by the kind to blame. */
export const REFUSAL_REASONS = ['unanswered-challenges', 'failed-credentials', 'refusals', 'malformed'] as const;
export type RefusalReason = (typeof REFUSAL_REASONS)[number];

export interface LimitedParty {
  readonly kind: 'source' | 'account';
  /** "192.0.2.1/32", "2001:db8::/64"; user@realm. */
  readonly name: string;
  readonly reason: RefusalReason | 'guessed';
  /** Seconds until it is accepted again, without further attempts; 0: it is accepted, but has little left. */
  readonly leftS: number;
  /** Recent successes of a source: above 0, it may be a victim's address. */
  readonly successes: number;
}

interface Tables {
  readonly sources: SourceScores;
  readonly guessed: GuessedAors;
  readonly hash: SourceHash;
}

interface NotedSource {
  readonly a: number;
  readonly b: number;
  /** Its budget, in budgets of a source. */
  readonly factor: number;
}

type AccountKey = readonly [k0: number, k1: number, k2: number];

/** Of each kind. */
const PARTIES_MAX = 1024;
/** A party that keeps trying is accepted now and then: it stays on the list until half of its budget is free again. */
const LISTED_SHARE = 0.5;

export class LimitedParties {
  private readonly tables: Tables;
  private policy: AbusePolicy;
  private readonly sources = new Map<string, NotedSource>();
  private readonly accounts = new Map<string, AccountKey>();

  /** @param policy within its bounds */
  constructor(tables: Tables, policy: AbusePolicy) {
    this.tables = tables;
    this.policy = policy;
  }

  configure(policy: AbusePolicy): void {
    this.policy = policy;
  }

  /** Notes a limited source. @param entry of the scores @param factor its budget, in budgets of a source */
  noteSource(name: string, entry: number, factor: number): void {
    const [a, b] = this.tables.sources.keyOf(entry);
    keep(this.sources, name, { a, b, factor });
  }

  /** Notes a limited account. @param key words of its hash */
  noteAccount(name: string, key: Uint32Array): void {
    keep(this.accounts, name, [key[0], key[1], key[2]]);
  }

  /** Noted parties that have used at least half of their budgets. */
  list(tick: number): LimitedParty[] {
    return [...this.listSources(tick), ...this.listAccounts(tick)];
  }

  /**
   * Forgives a source or an account all failures; false where it is not limited. Its next failure counts again.
   * @param name as `list` has it, or an address of the source
   */
  forgive(name: string, tick: number): boolean {
    const { guessed } = this.tables;
    const account = this.accounts.get(name);
    if (account !== undefined) {
      const wasLimited = guessed.usedShare(...account, tick) >= LISTED_SHARE;
      guessed.forgive(...account);
      return wasLimited;
    }
    const prefix = parseIpPrefix(name);
    if (prefix === null) return false;
    const { ipv4PrefixBits, ipv6PrefixBits, ipv6AggregateBits, aggregateFactor } = this.policy;
    if (prefix.family === 4) return this.forgiveSource(prefix, OF_SOURCE, ipv4PrefixBits, 1, tick);
    const source = this.forgiveSource(prefix, OF_SOURCE, ipv6PrefixBits, 1, tick);
    return this.forgiveSource(prefix, OF_AGGREGATE, ipv6AggregateBits, aggregateFactor, tick) || source;
  }

  private forgiveSource(
    { family, bytes }: IpPrefix,
    kind: number,
    bits: number,
    factor: number,
    tick: number,
  ): boolean {
    const { hash, sources } = this.tables;
    const peers = createPeers(1);
    peers.family[0] = family;
    peers.ip.set(bytes);
    hash.prefix(peers, 0, kind, bits);
    const entry = sources.find(hash.a, hash.b, tick);
    if (entry === NOBODY || sources.usedShare(entry, factor) < LISTED_SHARE) return false;
    sources.forgive(entry);
    return true;
  }

  private listSources(tick: number): LimitedParty[] {
    const { sources } = this.tables;
    return [...this.sources].flatMap(([name, { a, b, factor }]) => {
      const entry = sources.find(a, b, tick);
      const isLimited = entry !== NOBODY && sources.usedShare(entry, factor) >= LISTED_SHARE;
      if (!isLimited) {
        this.sources.delete(name);
        return [];
      }
      const reason = REFUSAL_REASONS[sources.mainKind(entry)];
      return [
        { kind: 'source', name, reason, leftS: sources.spentS(entry, factor), successes: sources.standing(entry) },
      ];
    });
  }

  private listAccounts(tick: number): LimitedParty[] {
    const { guessed } = this.tables;
    return [...this.accounts].flatMap(([name, key]) => {
      const isLimited = guessed.usedShare(...key, tick) >= LISTED_SHARE;
      if (!isLimited) {
        this.accounts.delete(name);
        return [];
      }
      return [{ kind: 'account', name, reason: 'guessed', leftS: guessed.spentS(...key, tick), successes: 0 }];
    });
  }
}

/** Notes a party; beyond the maximum the oldest is dropped. */
function keep<T>(noted: Map<string, T>, name: string, party: T): void {
  noted.delete(name);
  const [oldest] = noted.keys();
  if (noted.size >= PARTIES_MAX) noted.delete(oldest);
  noted.set(name, party);
}
