// The numbers of abuse control, each with its reason: the cost that a source or an account may cause before it is refused.
// Plain data; the arithmetic is abuse.ts, the argument docs/decisions/0030-abuse.md.

export interface AbusePolicy {
  /** Off: no message is counted or refused. */
  readonly enabled: boolean;
  /** Prefixes (CIDR) that are never limited: proxies and session border controllers, which send for many clients. */
  readonly unlimited: readonly string[];
  /** Bits of an IPv4 address that make a source. */
  readonly ipv4PrefixBits: number;
  /** Bits of an IPv6 address that make a source: one customer or one machine. */
  readonly ipv6PrefixBits: number;
  /** Bits of an IPv6 address that make an aggregate of sources: one site, to which its provider gave all its /64s. */
  readonly ipv6AggregateBits: number;
  /** How many times a source's budget an aggregate has. */
  readonly aggregateFactor: number;

  /** Failures (weighed as below) a source may have at once. */
  readonly failuresMax: number;
  /** Failures forgiven per second. */
  readonly failuresPerS: number;
  readonly failedCredentialsCost: number;
  /** A 403 or 404: a wrong domain, another user's AOR. */
  readonly refusedCost: number;
  /** A 400: more often a faulty phone than an attack. */
  readonly malformedCost: number;
  /** Challenges (unanswered 401s) a source may have at once. */
  readonly challengesMax: number;
  /** Challenges forgiven per second. */
  readonly challengesPerS: number;
  /** Failures a success takes back. */
  readonly failuresRefund: number;
  /** Challenges a success takes back: its own and that of one retransmission. */
  readonly challengesRefund: number;
  /**
   * A source's budgets grow with its standing (its successes, halved every hour): by their own size for every
   * `failuresStanding`, or `challengesStanding`, successes.
   */
  readonly failuresStanding: number;
  readonly challengesStanding: number;
  /** They grow to this many times their size at most. */
  readonly standingFactorMax: number;

  /** Seconds for which an address and port with a success is let in though its prefix is refused. */
  readonly knownFlowS: number;
  /** Failures such a flow may have before only its prefix counts. */
  readonly flowFailuresMax: number;
  readonly flowFailuresPerS: number;
  /** Cost of an unanswered challenge for a known flow, as a part of a failure. */
  readonly flowChallengeCost: number;

  /** Wrong passwords an account may draw before most of strangers' attempts are refused unchecked. */
  readonly aorFailuresMax: number;
  /** How many attempts per second strangers then share. */
  readonly aorFailuresPerS: number;
  /** Wrong passwords a success takes back. */
  readonly aorRefund: number;

  /** Sources remembered per shard (37 bytes each). */
  readonly sourcesMax: number;
  /** Flows with a success remembered per shard (16 bytes each). */
  readonly flowsMax: number;
  /** Accounts with wrong passwords remembered per shard (20 bytes each). */
  readonly aorsMax: number;

  /** Seconds between two log lines about one source or account. */
  readonly reportEveryS: number;
  /** Log lines of that kind per second and shard, for all sources together. */
  readonly reportsPerS: number;

  /** User-Agent values whose beginning, in any case, marks a scanner; its messages are dropped unread. */
  readonly scannerAgents: readonly string[];
}

export const DEFAULT_ABUSE_POLICY: AbusePolicy = {
  enabled: true,
  // Loopback addresses never come from a wire: their sender is a proxy of this machine, or its administrator.
  unlimited: ['127.0.0.0/8', '::1/128'],
  ipv4PrefixBits: 32,
  ipv6PrefixBits: 64, // RFC 4291: the holder of one address of a /64 has them all
  ipv6AggregateBits: 48, // RFC 6177: the prefix of one site
  aggregateFactor: 16, // a site of 16 networks, each at its limit
  failuresMax: 30, // a scanner's first second; three phones with a wrong password at ten tries each
  failuresPerS: 0.2, // three phones with a wrong password trying twice a minute cost half of it
  failedCredentialsCost: 1,
  refusedCost: 1,
  malformedCost: 0.25, // 120 at once; one phone that is always malformed, each 30 s, never matters
  challengesMax: 4000, // 500 phones with two lines each and three retransmissions, before the first of them succeeds
  challengesPerS: 50, // below a percent of a core; 1,000 phones that send OPTIONS every 20 s
  failuresRefund: 0.5, // no user may buy a guess with one REGISTER
  challengesRefund: 2,
  failuresStanding: 100,
  challengesStanding: 1000,
  standingFactorMax: 21, // 630 failures, 84,000 challenges: even the largest office has a limit
  knownFlowS: 7500, // the longest interval granted (7,200 s) and a late refresh
  flowFailuresMax: 10,
  flowFailuresPerS: 0.5, // a flood over all 65,536 ports of an address must exceed 32,000 a second to hurt a flow
  flowChallengeCost: 0.05,
  aorFailuresMax: 20,
  aorFailuresPerS: 0.2, // 17,280 guesses a day, for any number of guessing machines
  aorRefund: 2,
  sourcesMax: 1 << 16,
  flowsMax: 1 << 17,
  aorsMax: 1 << 15,
  reportEveryS: 300,
  reportsPerS: 10,
  // Tools that name themselves and that no phone uses to register. sipcli, sipsak and VaxSIPUserAgent have honest users.
  scannerAgents: ['friendly-scanner', 'sipvicious', 'sundayddr', 'sip-scan', 'sipptk', 'iWar'],
};

/** The policy with its sizes and divisors within the limits of the tables, for any configuration. */
export function boundedAbusePolicy(policy: AbusePolicy): AbusePolicy {
  return {
    ...policy,
    ipv4PrefixBits: whole(policy.ipv4PrefixBits, 1, 32),
    ipv6PrefixBits: whole(policy.ipv6PrefixBits, 1, 128),
    ipv6AggregateBits: whole(policy.ipv6AggregateBits, 1, 128),
    sourcesMax: whole(policy.sourcesMax, 64, 1 << 22),
    flowsMax: whole(policy.flowsMax, 64, 1 << 22),
    aorsMax: whole(policy.aorsMax, 64, 1 << 22),
    flowFailuresMax: Math.min(policy.flowFailuresMax, 1e4),
    flowFailuresPerS: Math.max(policy.flowFailuresPerS, 0.001),
    failuresStanding: Math.max(policy.failuresStanding, 1),
    challengesStanding: Math.max(policy.challengesStanding, 1),
  };
}

function whole(value: number, min: number, max: number): number {
  return Math.min(Math.max(Math.round(value), min), max);
}
