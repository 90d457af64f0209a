// Every limit, default and choice of the registrar, in one place. Limits of the parser's table are in sip/parser/limits.ts.
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
  /** Maximum of the domain's bindings; 0: none. */
  readonly bindingsMax?: number;
  /** Number of bindings that the domain may add, in shared memory; shards and the count of all bindings keep it (domain-quotas.ts). */
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
  /** Rules of single domains, by domain as in `domains`; missing rules are the server's. */
  readonly byDomain: Readonly<Record<string, DomainPolicy>>;
  /**
   * Hosts by which a Request-URI names the server itself, in lower case: its listening addresses, its own names. The domain of such a
   * request is To's.
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
  /** Beyond that: the bindings with the oldest refresh are removed, or 403 and no change. */
  readonly contactsOverflow: 'reject' | 'evict-oldest';
  /**
   * Bindings made straight over a connection that end with it. `auto`: accepted outbound flows, and those whose contact leads to
   * no phone without it. `contact`: the host and port of a contact are not judged. `flow`: every one.
   */
  readonly connectionBindings: 'auto' | 'flow' | 'contact';
  /** Seconds that a binding is kept after its connection has closed, hidden from lookups, for its client to take up again. */
  readonly flowGraceS: number;
  /**
   * A Path from a client that does not list `path` (RFC 3327 §5.3): `lazy` accepts it and does not repeat it in the answer,
   * `strict` refuses the request with 420, `off` repeats it to no client.
   */
  readonly path: 'lazy' | 'strict' | 'off';
  /** Flows (RFC 5626): `required` refuses contacts that are not flows, `off` ignores every reg-id. */
  readonly outbound: 'on' | 'off' | 'required';
  /** Seconds in the Flow-Timer of a flow to Aorta itself; 0: none is sent, and the RFC's default holds (§4.4). */
  readonly flowTimerS: number;
  /** Whether answers have GRUUs (RFC 5627). */
  readonly gruu: 'on' | 'off';
  /** Number of the GRUUs' keys; another one ends every temporary GRUU. */
  readonly gruuGeneration: number;
  /** Refusals carry their reason code in a Warning header field (RFC 3261 §20.43). */
  readonly warning: boolean;
  /** Answers over UDP are sent to the request's source port, also without rport in its Via. */
  readonly forceRport: boolean;
  /** Service-Route (RFC 3608) by domain, "*" for those not listed: route values `<sip:…;lr>`, the first one visited first. */
  readonly serviceRoutes: Readonly<Record<string, readonly string[]>>;
  /** P-Associated-URI (RFC 7315) by canonical AOR: values `<sip:…>`. */
  readonly associatedUris: Readonly<Record<string, readonly string[]>>;
  /** Numbers of PBXs (RFC 6140) by canonical AOR: `+12145550100-+12145550199`, or a single one; disjoint within a domain. */
  readonly bulkNumbers: NumbersByPbx;
  /** Contacts that Aorta pings. */
  readonly ping: PingedContacts;
  readonly pings: PingPolicy;
  /** Registrations are accepted over these transports only; empty: over all. */
  readonly transports: readonly TransportName[];
  /** Registrations are accepted from these addresses and prefixes only; empty: from all. */
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
  /** Lifetime of an answer for retransmissions over UDP: Timer J, 64 * T1 (§17.2.2). */
  readonly timerJMs: number;
  /** Storm control (overload.ts): milliseconds that requests may wait before new registrations are refused; 0: never. */
  readonly overloadTargetMs: number;
  /** Maximum of Retry-After for a refused phone, in seconds. */
  readonly retryAfterMaxS: number;
  /** Whether the history also keeps refreshes; it always keeps changes of bindings. */
  readonly historyRefreshes: boolean;
  /** Bytes of the history of changes, per shard; 0: none is kept. */
  readonly historyBytes: number;
  /** Maximum of a shard's transactions; beyond it the oldest are forgotten early. */
  readonly transactionsMax: number;
  /** Bytes of answers a shard keeps for replay; older ones are made again from the bindings. */
  readonly answerBytesMax: number;
  /** Leniencies of the parser that are off: a request that needs one draws 400. */
  readonly strict: readonly Leniency[];
  /** Senders whose requests for a user are redirected to the user's contacts. */
  readonly lookup: LookupPolicy;
  /** Watchers of registrations, and the rules for them (RFC 3680). */
  readonly subscriptions: SubscriptionPolicy;
  /** Push services that wake devices; null: none, and answers do not mention push. */
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

/** The rules of one domain: its own, and the server's for missing ones. */
export function policyOf(policy: Policy, own: DomainPolicy): Policy {
  return { ...policy, ...own, ...fitIntervals(own, policy) };
}

/** Whether PBXs may register their numbers; this needs Path (RFC 6140 §5.2). */
export function servesBulk({ bulkNumbers, path }: Policy): boolean {
  return path !== 'off' && Object.keys(bulkNumbers).length > 0;
}

/** Whether any domain has GRUUs. */
export function givesGruus({ gruu, byDomain = {} }: Pick<Policy, 'gruu'> & Partial<Pick<Policy, 'byDomain'>>): boolean {
  return gruu === 'on' || Object.values(byDomain).some((own) => own.gruu === 'on');
}

type Intervals = Pick<Policy, 'minExpiresS' | 'defaultExpiresS' | 'maxExpiresS'>;

type Given<T> = { readonly [K in keyof T]?: T[K] | undefined };

/** Minimum, default and maximum in their order: missing ones are moved to fit the given ones. */
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
