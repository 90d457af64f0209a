// How subscriptions to registration events are served (RFC 3680, RFC 6665): plain data, a part of the policy.

export interface SubscriptionPolicy {
  readonly enabled: boolean;
  /** Seconds granted when a SUBSCRIBE names none (RFC 3680 §4.4). */
  readonly defaultExpiresS: number;
  /** Shorter intervals draw 423, except 0. */
  readonly minExpiresS: number;
  /** Longer intervals are cut to this. */
  readonly maxExpiresS: number;
  /** Seconds whose changes a subscriber gets in one NOTIFY (RFC 3680 §4.10). */
  readonly notifyIntervalS: number;
  /** Subscriptions to one AOR, and of a shard; more draw 403 and 503. */
  readonly perAorMax: number;
  readonly perShardMax: number;
  /** Addresses and prefixes that may watch every AOR, without a password. */
  readonly from: readonly string[];
  /** Users, as user@domain, who may watch every AOR. */
  readonly watchers: readonly string[];
}

export const DEFAULT_SUBSCRIPTION_POLICY: SubscriptionPolicy = {
  enabled: false,
  defaultExpiresS: 3761,
  minExpiresS: 60,
  maxExpiresS: 86_400,
  notifyIntervalS: 5,
  perAorMax: 16,
  perShardMax: 100_000,
  from: [],
  watchers: [],
};
