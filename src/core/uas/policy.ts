// Every limit, default and choice of the registrar, in one place. What the parser's table can hold is sip/parser/limits.ts.
// Plain data: the configuration file and the flags become one of these.

import type { Leniency } from '../../sip/parser/strictness.ts';
import type { TransportName } from '../../sip/sources.ts';
import type { NumbersByPbx } from '../lookup/bulk-numbers.ts';
import { DEFAULT_PING_POLICY, type PingedContacts, type PingPolicy } from '../pings/ping-policy.ts';
import { DEFAULT_SUBSCRIPTION_POLICY, type SubscriptionPolicy } from '../subscriptions/subscription-policy.ts';
import { DEFAULT_LOOKUP_POLICY, type LookupPolicy } from './lookup-policy.ts';
import type { PushPolicy } from './push-policy.ts';

/** Rules that a domain may have for itself. */
export type DomainPolicy = OwnRules & {
  /** Bindings the domain may have; 0: as many as there are. */
  readonly bindingsMax?: number;
  /** How many of them there may still be: one number in shared memory, which shards and the count of all bindings keep (quotas.ts). */
  readonly capacity?: Int32Array;
};

type OwnRules = Partial<
  Pick<
    Policy,
    | 'defaultExpiresS'
    | 'minExpiresS'
    | 'maxExpiresS'
    | 'expiresJitterPercent'
    | 'contactsPerAorMax'
    | 'contactsOverflow'
    | 'connectionBindings'
    | 'path'
    | 'outbound'
    | 'flowTimerS'
    | 'gruu'
    | 'transports'
    | 'networks'
    | 'ping'
    | 'serviceRoutes'
  >
>;

export interface Policy {
  /** Served domains in lower case; "*" serves every domain. */
  readonly domains: readonly string[];
  /** Rules of domains of their own, by domain as in `domains`; what a domain does not say is the server's. */
  readonly byDomain: Readonly<Record<string, DomainPolicy>>;
  /**
   * Hosts by which a Request-URI names the server itself, in lower case: addresses it listens on, names of its own. What it is asked for
   * there is for the domain of To.
   */
  readonly serverNames: readonly string[];
  /** Seconds granted when the request names none (RFC 3261 §10.3 step 7). */
  readonly defaultExpiresS: number;
  /** Shorter intervals below one hour draw 423 (§10.3 step 7). */
  readonly minExpiresS: number;
  /** Longer intervals are cut to this. */
  readonly maxExpiresS: number;
  /** Granted intervals are shortened at random by up to this many percent, so that phones do not refresh in step. */
  readonly expiresJitterPercent: number;
  /** Bindings one AOR may have after a request. */
  readonly contactsPerAorMax: number;
  /** What happens beyond that: the bindings refreshed longest ago are removed, or 403 and no change. */
  readonly contactsOverflow: 'reject' | 'evict-oldest';
  /**
   * Which bindings made straight over a connection live by it: with `auto` accepted outbound flows and those whose contact leads to
   * no phone without it; with `contact` the host and port of a contact are not judged; with `flow` every one.
   */
  readonly connectionBindings: 'auto' | 'flow' | 'contact';
  /** How long a binding whose connection has ended is kept, unseen by lookups, for its client to take up again. */
  readonly flowGraceS: number;
  /**
   * A Path from a client that does not list `path` (RFC 3327 §5.3): `lazy` takes it and does not repeat it in the answer,
   * `strict` refuses the request with 420, `off` repeats it to nobody.
   */
  readonly path: 'lazy' | 'strict' | 'off';
  /** Flows (RFC 5626): `required` refuses contacts that are none, `off` ignores every reg-id. */
  readonly outbound: 'on' | 'off' | 'required';
  /** Seconds in the Flow-Timer of a flow that Aorta itself holds; 0: none is sent, and the RFC's default holds (§4.4). */
  readonly flowTimerS: number;
  /** Whether GRUUs are given out (RFC 5627). */
  readonly gruu: 'on' | 'off';
  /** Number of the GRUUs' keys; another one ends every temporary GRUU. */
  readonly gruuGeneration: number;
  /** Refusals carry their reason code in a Warning header field (RFC 3261 §20.43). */
  readonly warning: boolean;
  /** Answers over UDP go to the port that the request came from, also without rport in its Via. */
  readonly forceRport: boolean;
  /** Service-Route (RFC 3608) by domain, "*" for those not listed: route values `<sip:…;lr>`, the first one visited first. */
  readonly serviceRoutes: Readonly<Record<string, readonly string[]>>;
  /** P-Associated-URI (RFC 7315) by canonical AOR: values `<sip:…>`. */
  readonly associatedUris: Readonly<Record<string, readonly string[]>>;
  /** Numbers of PBXs (RFC 6140) by canonical AOR: `+12145550100-+12145550199`, or a single one; apart from each other within a domain. */
  readonly bulkNumbers: NumbersByPbx;
  /** Which contacts are pinged from this side. */
  readonly ping: PingedContacts;
  readonly pings: PingPolicy;
  /** Registrations are accepted over these transports only; none: over all. */
  readonly transports: readonly TransportName[];
  /** Registrations are accepted from these addresses and prefixes only; none: from all. */
  readonly networks: readonly string[];
  /** Bytes of all Path values of a request; more draw 400. */
  readonly pathBytesMax: number;
  /** Bytes of a canonical AOR; longer ones draw 404. */
  readonly aorBytesMax: number;
  /** Bytes of one Contact value (URI and parameters); longer ones draw 400. */
  readonly contactBytesMax: number;
  /** Bytes of a Call-ID; longer ones draw 400. */
  readonly callIdBytesMax: number;
  /** Bytes of one request; longer ones draw 513. */
  readonly messageBytesMax: number;
  /** How long an answer is kept for retransmissions over UDP: Timer J, 64 * T1 (§17.2.2). */
  readonly timerJMs: number;
  /** Storm control (overload.ts): milliseconds that requests may wait before new registrations are put off; 0: never. */
  readonly overloadTargetMs: number;
  /** Seconds that a phone is put off at most (Retry-After). */
  readonly retryAfterMaxS: number;
  /** Whether the history keeps refreshes, too; changes of bindings it always keeps. */
  readonly historyRefreshes: boolean;
  /** Bytes of the history of changes, per shard; 0: none is kept. */
  readonly historyBytes: number;
  /** Transactions a shard remembers at most; beyond it the oldest are forgotten early. */
  readonly transactionsMax: number;
  /** Bytes of answers a shard keeps for replay; older ones are made again from the bindings. */
  readonly answerBytesMax: number;
  /** Leniencies of the parser that are switched off: a request that uses one draws 400. */
  readonly strict: readonly Leniency[];
  /** Whose requests for a user are redirected to the user's contacts. */
  readonly lookup: LookupPolicy;
  /** Who may watch registrations, and how (RFC 3680). */
  readonly subscriptions: SubscriptionPolicy;
  /** Push services that wake devices; null: none, and nothing is said of push. */
  readonly push: PushPolicy | null;
}

export const DEFAULT_POLICY: Policy = {
  domains: ['localhost', '127.0.0.1'],
  byDomain: {},
  serverNames: [],
  defaultExpiresS: 3600,
  minExpiresS: 60,
  maxExpiresS: 7200,
  expiresJitterPercent: 0,
  contactsPerAorMax: 10,
  contactsOverflow: 'evict-oldest',
  connectionBindings: 'auto',
  flowGraceS: 0,
  path: 'lazy',
  outbound: 'on',
  flowTimerS: 0,
  gruu: 'on',
  gruuGeneration: 0,
  warning: false,
  forceRport: false,
  serviceRoutes: {},
  associatedUris: {},
  bulkNumbers: {},
  ping: 'off',
  pings: DEFAULT_PING_POLICY,
  transports: [],
  networks: [],
  pathBytesMax: 4096,
  aorBytesMax: 256,
  contactBytesMax: 2048,
  callIdBytesMax: 256,
  messageBytesMax: 65_535,
  timerJMs: 32_000,
  overloadTargetMs: 250,
  retryAfterMaxS: 300,
  historyRefreshes: false,
  historyBytes: 4 << 20, // some 20,000 changes
  transactionsMax: 1 << 20,
  answerBytesMax: 32 << 20,
  strict: [],
  lookup: DEFAULT_LOOKUP_POLICY,
  subscriptions: DEFAULT_SUBSCRIPTION_POLICY,
  push: null,
};

/** The rules of one domain: its own, and the server's for all that it does not say. */
export function policyOf(policy: Policy, own: DomainPolicy): Policy {
  return { ...policy, ...own, ...fitIntervals(own, policy) };
}

/** Whether PBXs may register their numbers, which needs Path (RFC 6140 §5.2). */
export function servesBulk({ bulkNumbers, path }: Policy): boolean {
  return path !== 'off' && Object.keys(bulkNumbers).length > 0;
}

/** Whether any domain gives GRUUs out. */
export function givesGruus({ gruu, byDomain = {} }: Pick<Policy, 'gruu'> & Partial<Pick<Policy, 'byDomain'>>): boolean {
  return gruu === 'on' || Object.values(byDomain).some((own) => own.gruu === 'on');
}

type Intervals = Pick<Policy, 'minExpiresS' | 'defaultExpiresS' | 'maxExpiresS'>;

type Given<T> = { readonly [K in keyof T]?: T[K] | undefined };

/** Minimum, default and maximum in their order: those that were not given move to fit those that were. */
export function fitIntervals(
  { minExpiresS, defaultExpiresS, maxExpiresS }: Given<Intervals>,
  base: Intervals,
): Intervals {
  const most = Number.POSITIVE_INFINITY;
  const min = minExpiresS ?? Math.min(base.minExpiresS, defaultExpiresS ?? most, maxExpiresS ?? most);
  const max = maxExpiresS ?? Math.max(base.maxExpiresS, defaultExpiresS ?? 0, min);
  return {
    minExpiresS: min,
    defaultExpiresS: defaultExpiresS ?? Math.min(max, Math.max(min, base.defaultExpiresS)),
    maxExpiresS: max,
  };
}
