// Pings: the contacts, the method, and the consequence of missing answers. Plain data, a part of the policy.

/** Contacts whose REGISTER came straight from them: none of these, those behind NAT, or all. */
export type PingedContacts = 'off' | 'nat' | 'all';

export interface PingPolicy {
  /** A request that draws an answer, or empty lines that keep NAT mappings open. */
  readonly method: 'options' | 'crlf';
  /** Interval between two pings of a contact; the contacts are spread over it. */
  readonly intervalS: number;
  /** A contact with this many unanswered pings in a row is dead. */
  readonly lossesMax: number;
  /** Consequence for a dead contact: none, lookups leave it out until it answers, or its binding is removed. */
  readonly dead: 'keep' | 'park' | 'remove';
  /** First among contacts with the same q: the one refreshed last, or the one with the shortest round-trip time. */
  readonly order: 'refreshed' | 'rtt';
}

export const DEFAULT_PING_POLICY: PingPolicy = {
  method: 'options',
  intervalS: 60,
  lossesMax: 3,
  dead: 'keep',
  order: 'refreshed',
};
