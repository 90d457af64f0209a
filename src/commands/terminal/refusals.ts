// Counters of refusals for people: a challenge for credentials is no refusal.

import { CHALLENGES } from '../../core/uas/reasons.ts';

const PREFIX = 'refused_';
/** Refused connections, which have no reason of a response. */
const CONNECTIONS = 'refused_connections';

export interface Refusals {
  readonly challenged: number;
  /** By reason, the most frequent first; only those above 0. */
  readonly refused: readonly (readonly [reason: string, value: number])[];
}

/** @param value of a counter */
export function refusalsIn(counters: Readonly<Record<string, number>>, value: (name: string) => number): Refusals {
  const all = Object.keys(counters)
    .filter((name) => name.startsWith(PREFIX) && name !== CONNECTIONS)
    .map((name) => [name.slice(PREFIX.length), value(name)] as const)
    .filter(([, each]) => each > 0)
    .sort(([, a], [, b]) => b - a);
  const isChallenge = ([reason]: readonly [string, number]) => CHALLENGES.includes(reason);
  return {
    challenged: all.filter(isChallenge).reduce((sum, [, each]) => sum + each, 0),
    refused: all.filter((each) => !isChallenge(each)),
  };
}
