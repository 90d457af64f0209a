// Abuse control: whether a message is read at all, by the costs and successes of its source. Budgets per source prefix and per
// account; a success refunds; a known flow passes although its prefix is refused. It decides and writes no answer.
// @hot

import { ipText } from '../../sip/ip.ts';
import { createPeers, type Peers } from '../../sip/sources.ts';
import { type AbusePolicy, boundedAbusePolicy } from './abuse-policy.ts';
import { GuessedAors } from './guessed-aors.ts';
import { KNOWN_FLOW, KnownAccounts, NOT_KNOWN } from './known-accounts.ts';
import { KnownFlows } from './known-flows.ts';
import { LimitedParties, type LimitedParty, REFUSAL_REASONS, type RefusalReason } from './limited-parties.ts';
import { OF_AGGREGATE, OF_SOURCE, SourceHash } from './source-hash.ts';
import { NOBODY, SourceScores } from './source-scores.ts';
import { Ticks } from './tick.ts';
import { TrustedSources } from './trusted-sources.ts';

/** Kinds of results. An answer without proof: a 401 to a request without credentials or with stale ones, or a 200 to OPTIONS. */
export const CHALLENGED = 0;
/** Credentials that were wrong. */
export const FAILED_CREDENTIALS = 1;
/** 403, 404: not allowed, not served. */
export const REFUSED = 2;
/** 400, 505: malformed SIP. */
export const MALFORMED = 3;
/** Right credentials: the one result that no other client can cause in a source's name. */
export const SUCCESS = 4;

/** Log fields of a refused source. */
export interface RefusalReport {
  /** The address that sent the message. */
  readonly source: string;
  /** The refused prefix: "192.0.2.1/32", "2001:db8::/64". */
  readonly prefix: string;
  readonly reason: RefusalReason;
  /** Recent successes from the prefix: above 0, its address may be a victim's. */
  readonly successes: number;
}

/** Log fields of an account whose credentials are not checked for now. */
export interface LimitedReport {
  readonly source: string;
  /** user@realm, where there is such a user. */
  readonly account: string | null;
}

export class Abuse {
  /** After `accepts`: this source has had no recent success, so its messages are worth a second look. */
  stranger = false;
  /** After `accepts` or `aorAllowed` returned false: a log line is due, and `report` or `reportAccount` makes it. */
  reportDue = false;
  private policy: AbusePolicy;
  private unlimited: TrustedSources;
  private readonly hash: SourceHash;
  private readonly ticks = new Ticks();
  private readonly sources: SourceScores;
  private readonly flows: KnownFlows;
  private readonly accounts: KnownAccounts;
  private readonly guessed: GuessedAors;
  /** Cost by kind. */
  private costs: Float32Array;
  // The source of the last row, so that its address is hashed once per message.
  private foundRow = NOBODY;
  private sourceA = 0;
  private sourceB = 0;
  private source = NOBODY;
  /** The source of the last outcome is limited, and this is a hash of its flow. */
  private limited = false;
  private flow = 0;
  private refused = NOBODY;
  private refusedBits = 0;
  private reportSecond = 0;
  private reports = 0;
  private readonly parties: LimitedParties;

  /** @param key 16 secret bytes, those of the data directory */
  constructor(wanted: AbusePolicy, key: Uint8Array) {
    const policy = boundedAbusePolicy(wanted);
    this.policy = policy;
    this.unlimited = new TrustedSources(policy.unlimited);
    this.hash = new SourceHash(key);
    this.sources = new SourceScores(policy);
    this.flows = new KnownFlows(policy);
    this.accounts = new KnownAccounts(policy);
    this.guessed = new GuessedAors(policy);
    this.costs = costsOf(policy);
    this.parties = new LimitedParties({ sources: this.sources, guessed: this.guessed, hash: this.hash }, policy);
  }

  /** Sets other limits. Entries and sizes of the tables stay. Throws before any change. @cold */
  configure(wanted: AbusePolicy): void {
    const policy = boundedAbusePolicy(wanted);
    this.unlimited = new TrustedSources(policy.unlimited);
    this.policy = policy;
    this.costs = costsOf(policy);
    this.sources.configure(policy);
    this.flows.configure(policy);
    this.accounts.configure(policy);
    this.guessed.configure(policy);
    this.parties.configure(policy);
  }

  /** Bytes of all tables: a constant. */
  get bytes(): number {
    return this.sources.bytes + this.flows.bytes + this.accounts.bytes + this.guessed.bytes;
  }

  /** Whether the message of a peer is read; if not, it is dropped without an answer. Before parsing. */
  accepts(peers: Peers, row: number, now: number): boolean {
    this.stranger = false;
    this.reportDue = false;
    this.foundRow = NOBODY;
    if (!this.policy.enabled || this.unlimited.trusts(peers, row)) return true;
    const { sources } = this;
    const tick = this.ticks.at(now);
    this.findSource(peers, row, tick);
    this.foundRow = row;
    const { source } = this;
    this.stranger = source === NOBODY || sources.standing(source) === 0;
    this.refused = NOBODY;
    if (source !== NOBODY && sources.isSpent(source, 1)) {
      this.refused = source;
      this.refusedBits = this.sourceBits(peers, row);
    } else if (peers.family[row] === 6) this.judgeAggregate(peers, row, tick);
    if (this.refused === NOBODY) return true;
    const { hash } = this;
    hash.flow(peers, row);
    if (this.flows.passes(hash.a, hash.b, tick)) return true;
    this.reportDue = this.mayReport(now) && sources.claimReport(this.refused, tick);
    if (this.reportDue) this.reports++;
    return false;
  }

  /**
   * Counts the result of a message. Once per message read, before the next message is admitted; retransmissions answered
   * from memory count nothing.
   */
  countResult(peers: Peers, row: number, kind: number, now: number): void {
    this.limited = false;
    if (!this.policy.enabled || this.unlimited.trusts(peers, row)) return;
    const { hash, sources, flows } = this;
    const tick = this.ticks.at(now);
    if (this.foundRow !== row) this.findSource(peers, row, tick);
    this.foundRow = NOBODY;
    if (this.source === NOBODY) this.source = sources.claim(this.sourceA, this.sourceB, tick, kind === SUCCESS);
    this.score(this.source, kind, tick);
    hash.flow(peers, row);
    this.limited = true;
    this.flow = hash.a;
    if (kind === SUCCESS) flows.succeed(hash.a, hash.b, tick);
    else flows.fail(hash.a, hash.b, kind === CHALLENGED ? this.policy.flowChallengeCost : this.costs[kind], tick);
    if (peers.family[row] !== 6) return;
    hash.prefix(peers, row, OF_AGGREGATE, this.policy.ipv6AggregateBits);
    this.score(sources.claim(hash.a, hash.b, tick, kind === SUCCESS), kind, tick);
  }

  /**
   * Whether credentials for an account are checked. Always: until the account has drawn many wrong ones; from the flow of its last
   * success; and from unlimited sources, which must limit guesses themselves. Else strangers share a few attempts per second. Sources
   * where the account succeeded lately share as many of their own. The other attempts are told to come back later.
   * @param k0,k1,k2 words of the account's keyed hash: 96 of its bits
   */
  aorAllowed(peers: Peers, row: number, k0: number, k1: number, k2: number, now: number): boolean {
    if (!this.policy.enabled || this.unlimited.trusts(peers, row)) return true;
    const tick = this.ticks.at(now);
    if (!this.guessed.isSpent(k0, k1, k2, tick)) return true;
    if (this.foundRow !== row) this.findSource(peers, row, tick);
    const a = this.sourceA ^ k0;
    const b = this.sourceB ^ k1;
    this.hash.flow(peers, row);
    const known = this.accounts.find(a, b, this.hash.a, tick);
    if (known === KNOWN_FLOW || (known !== NOT_KNOWN && !this.guessed.isSpent(a, b, k2, tick))) return true;
    this.reportDue = this.mayReport(now) && this.guessed.claimReport(k0, k1, k2, tick);
    if (this.reportDue) this.reports++;
    return false;
  }

  /** Counts the result of an account's request: FAILED_CREDENTIALS or SUCCESS, right after `countResult`; other kinds count nothing. */
  aorOutcome(k0: number, k1: number, k2: number, kind: number, now: number): void {
    if (!this.policy.enabled) return;
    const tick = this.ticks.at(now);
    const { guessed, accounts, flow } = this;
    const a = this.sourceA ^ k0;
    const b = this.sourceB ^ k1;
    if (kind === FAILED_CREDENTIALS) {
      guessed.fail(k0, k1, k2, tick);
      if (this.limited && accounts.find(a, b, flow, tick) !== NOT_KNOWN) guessed.fail(a, b, k2, tick);
    } else if (kind === SUCCESS) {
      guessed.succeed(k0, k1, k2, tick);
      if (!this.limited) return;
      guessed.succeed(a, b, k2, tick);
      accounts.succeed(a, b, flow, tick);
    }
  }

  /** The fields of the log line "source refused", where `reportDue`. @cold */
  report(peers: Peers, row: number): RefusalReport {
    const { sources, refused, refusedBits } = this;
    const prefix = createPeers(1);
    prefix.family[0] = peers.family[row];
    prefix.ip.set(peers.ip.subarray(row << 4, (row << 4) + (refusedBits >> 3)));
    if ((refusedBits & 7) !== 0)
      prefix.ip[refusedBits >> 3] = peers.ip[(row << 4) + (refusedBits >> 3)] & (0xff00 >> (refusedBits & 7));
    const name = `${ipText(prefix, 0)}/${refusedBits}`;
    const factor = refused === this.source ? 1 : this.policy.aggregateFactor;
    this.parties.noteSource(name, refused, factor);
    return {
      source: ipText(peers, row),
      prefix: name,
      reason: REFUSAL_REASONS[sources.blame(refused, factor)],
      successes: sources.standing(refused),
    };
  }

  /** The fields of the log line "account limited", where `reportDue`. @param account user@realm; null where no user has it @cold */
  reportAccount(peers: Peers, row: number, key: Uint32Array, account: string | null): LimitedReport {
    if (account !== null) this.parties.noteAccount(account, key);
    return { source: ipText(peers, row), account };
  }

  /** Sources and accounts that the log named and that are still limited. @cold */
  limitedNow(now: number): LimitedParty[] {
    return this.parties.list(this.ticks.at(now));
  }

  /** As LimitedParties.forgive. @cold */
  forgive(name: string, now: number): boolean {
    return this.parties.forgive(name, this.ticks.at(now));
  }

  private judgeAggregate(peers: Peers, row: number, tick: number): void {
    const { hash, sources, policy } = this;
    hash.prefix(peers, row, OF_AGGREGATE, policy.ipv6AggregateBits);
    const site = sources.find(hash.a, hash.b, tick);
    if (site === NOBODY || !sources.isSpent(site, policy.aggregateFactor)) return;
    this.refused = site;
    this.refusedBits = policy.ipv6AggregateBits;
  }

  private score(source: number, kind: number, tick: number): void {
    if (source === NOBODY) return;
    if (kind === SUCCESS) this.sources.addSuccess(source, tick);
    else if (kind === CHALLENGED) this.sources.addChallenge(source);
    else this.sources.addFailure(source, kind, this.costs[kind]);
  }

  private findSource(peers: Peers, row: number, tick: number): void {
    const { hash } = this;
    hash.prefix(peers, row, OF_SOURCE, this.sourceBits(peers, row));
    this.sourceA = hash.a;
    this.sourceB = hash.b;
    this.source = this.sources.find(hash.a, hash.b, tick);
  }

  private sourceBits(peers: Peers, row: number): number {
    return peers.family[row] === 6 ? this.policy.ipv6PrefixBits : this.policy.ipv4PrefixBits;
  }

  private mayReport(now: number): boolean {
    const second = Math.floor(now / 1000);
    if (second !== this.reportSecond) {
      this.reportSecond = second;
      this.reports = 0;
    }
    return this.reports < this.policy.reportsPerS;
  }
}

/** @cold */
function costsOf(policy: AbusePolicy): Float32Array {
  return Float32Array.of(0, policy.failedCredentialsCost, policy.refusedCost, policy.malformedCost);
}
