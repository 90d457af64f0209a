// Sources of a shard: those refused unread (abuse control, scanners), those without a password (trusted
// proxies), and the count of results for sources and accounts. Decides nothing about bindings.
// @hot

import {
  Abuse,
  CHALLENGED,
  FAILED_CREDENTIALS,
  type LimitedReport,
  MALFORMED,
  REFUSED,
  type RefusalReport,
  SUCCESS,
} from '../core/abuse/abuse.ts';
import type { AbusePolicy } from '../core/abuse/abuse-policy.ts';
import type { LimitedParty } from '../core/abuse/limited-parties.ts';
import { Scanners } from '../core/abuse/scanners.ts';
import { TrustedSources } from '../core/abuse/trusted-sources.ts';
import type { Authenticator } from '../core/auth/authenticator.ts';
import { AUTH_UNKNOWN_USER, AUTH_WRONG_RESPONSE } from '../core/auth/outcome.ts';
import { slab, table } from '../sip/parser/slab.ts';
import { T_FROM } from '../sip/parser/span-table.ts';
import { ANSWERED_BY_MAIN_MASK, ANSWERED_BY_MAIN_TRUSTED, type Peers } from '../sip/sources.ts';
import { canonicalAor } from '../sip/uri/uri.ts';
import { COUNTER } from './observe/counters.ts';

const FROM_BYTES = 1024;

export interface GateOptions {
  readonly policy: AbusePolicy;
  /** Addresses and prefixes of proxies that have authenticated the user in From. */
  readonly trustedProxies: readonly string[];
}

/** Logs a refused source, or an account whose credentials are not checked for now. */
export type AbuseLog = (event: 'source refused' | 'account limited', report: RefusalReport | LimitedReport) => void;

export class Gate {
  private readonly abuse: Abuse;
  private scanners: Scanners;
  private trusted: TrustedSources;
  private readonly peers: Peers;
  private readonly counters: Float64Array;
  private readonly log: AbuseLog;
  private readonly from = new Uint8Array(FROM_BYTES);

  /** @param key 16 secret bytes */
  constructor(options: GateOptions, key: Uint8Array, peers: Peers, counters: Float64Array, log: AbuseLog) {
    this.abuse = new Abuse(limitsOf(options), key);
    this.scanners = scannersOf(options);
    this.trusted = new TrustedSources(options.trustedProxies);
    this.peers = peers;
    this.counters = counters;
    this.log = log;
  }

  /** Sets other limits; scores stay. Throws before any change for an invalid address. @cold */
  configure(options: GateOptions): void {
    const trusted = new TrustedSources(options.trustedProxies);
    const scanners = scannersOf(options);
    this.abuse.configure(limitsOf(options));
    this.trusted = trusted;
    this.scanners = scanners;
  }

  /** Before parsing: whether the message in a slot is processed. If not, it is dropped, counted and sometimes logged. */
  accepts(slot: number, at: number, end: number, now: number): boolean {
    const { abuse, counters } = this;
    if (!abuse.accepts(this.peers, slot, now)) {
      counters[COUNTER.dropped_source]++;
      if (abuse.reportDue) this.log('source refused', abuse.report(this.peers, slot));
      return false;
    }
    if (!abuse.stranger || !this.scanners.sends(slab, at, end)) return true;
    counters[COUNTER.dropped_scanner]++;
    return false;
  }

  /** Whether the credentials read last are checked now; if not, that is counted and sometimes logged. */
  mayTry(slot: number, account: Uint32Array, authenticator: Authenticator, now: number): boolean {
    const { abuse, counters, peers } = this;
    if (abuse.aorAllowed(peers, slot, account[0], account[1], account[2], now)) return true;
    counters[COUNTER.put_off_guesses]++;
    if (abuse.reportDue)
      this.log('account limited', abuse.reportAccount(peers, slot, account, authenticator.knownAccount));
    return false;
  }

  /** Sources and accounts that are limited now. @cold */
  limited(now: number): LimitedParty[] {
    return this.abuse.limitedNow(now);
  }

  /** As Abuse.forgive. @cold */
  forgive(name: string, now: number): boolean {
    return this.abuse.forgive(name, now);
  }

  /** Whether a trusted proxy sent the request. */
  trusts(slot: number): boolean {
    return (
      (this.peers.answeredByMain[slot] & ANSWERED_BY_MAIN_MASK) === ANSWERED_BY_MAIN_TRUSTED ||
      this.trusted.trusts(this.peers, slot)
    );
  }

  /** Whether From, as asserted by a trusted proxy, is the AOR itself (§10.3 step 3). */
  assertsAor(aor: Uint8Array, aorLength: number): boolean {
    if (canonicalAor(slab, table, T_FROM, this.from) !== aorLength) return false;
    for (let i = 0; i < aorLength; i++) if (this.from[i] !== aor[i]) return false;
    return true;
  }

  /**
   * Counts the result of a request, where clients authenticate.
   * @param account the account whose password it tried, where one was checked
   * @param status of its answer
   * @param authenticated whether it had right credentials
   * @param outcome the authenticator's AUTH_*, of this request
   */
  countResult(
    slot: number,
    account: Uint32Array,
    status: number,
    authenticated: boolean,
    outcome: number,
    now: number,
  ): void {
    const kind = kindOf(status, authenticated, outcome);
    this.abuse.countResult(this.peers, slot, kind, now);
    if (kind === SUCCESS || kind === FAILED_CREDENTIALS)
      this.abuse.aorOutcome(account[0], account[1], account[2], kind, now);
  }
}

/** @cold */
function limitsOf({ policy, trustedProxies }: GateOptions): AbusePolicy {
  return { ...policy, unlimited: [...policy.unlimited, ...trustedProxies] };
}

function scannersOf({ policy }: GateOptions): Scanners {
  return new Scanners(policy.enabled ? policy.scannerAgents : []);
}

function kindOf(status: number, authenticated: boolean, outcome: number): number {
  if (status === 401 || status === 403) {
    if (outcome === AUTH_WRONG_RESPONSE || outcome === AUTH_UNKNOWN_USER) return FAILED_CREDENTIALS;
    if (status === 401) return CHALLENGED;
  }
  if (status === 403 || status === 404) return REFUSED;
  if (authenticated) return SUCCESS;
  return status === 400 || status === 505 ? MALFORMED : CHALLENGED;
}
