// Which contacts are pinged, how, and what a want of answers comes to: plain data, a part of the policy.

/** Those whose REGISTER came straight from them: none, those behind NAT, or all. */
export type PingedContacts = 'off' | 'nat' | 'all';

export interface PingPolicy {
  /** A request that is answered, or an empty line that keeps ways through NAT open. */
  readonly method: 'options' | 'crlf';
  /** Between two pings of a contact; the contacts are spread over it. */
  readonly intervalS: number;
  /** A contact that leaves so many pings in a row unanswered is dead. */
  readonly lossesMax: number;
  /** What becomes of it: nothing, lookups leave it out until it answers, or its binding is removed. */
  readonly dead: 'keep' | 'park' | 'remove';
  /** Of contacts with the same q, the one refreshed last comes first, or the one that answers soonest. */
  readonly order: 'refreshed' | 'rtt';
}

export const DEFAULT_PING_POLICY: PingPolicy = {
  method: 'options',
  intervalS: 60,
  lossesMax: 3,
  dead: 'keep',
  order: 'refreshed',
};
