// Every limit, default and choice of the registrar, in one place. What the parser's table can hold is sip/limits.ts.
// Plain data: the configuration file and the flags become one of these.

import { DEFAULT_LOOKUP_POLICY, type LookupPolicy } from './lookup-policy.ts';

export interface Policy {
  /** Served domains in lower case; "*" serves every domain. */
  readonly domains: readonly string[];
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
  /** What happens beyond that: 403 and no change, or the bindings refreshed longest ago make room. */
  readonly contactsOverflow: 'reject' | 'evict-oldest';
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
  /** Transactions a shard remembers at most; beyond it the oldest are forgotten early. */
  readonly transactionsMax: number;
  /** Bytes of answers a shard keeps for replay; older ones are made again from the bindings. */
  readonly answerBytesMax: number;
  /** Whose requests for a user are redirected to the user's contacts. */
  readonly lookup: LookupPolicy;
}

export const DEFAULT_POLICY: Policy = {
  domains: ['localhost', '127.0.0.1'],
  defaultExpiresS: 3600,
  minExpiresS: 60,
  maxExpiresS: 7200,
  expiresJitterPercent: 0,
  contactsPerAorMax: 10,
  contactsOverflow: 'reject',
  aorBytesMax: 256,
  contactBytesMax: 2048,
  callIdBytesMax: 256,
  messageBytesMax: 65_535,
  timerJMs: 32_000,
  transactionsMax: 1 << 20,
  answerBytesMax: 32 << 20,
  lookup: DEFAULT_LOOKUP_POLICY,
};
