// Minimum, default and maximum interval: in their order, those that were given and those that were not.

import type { Policy } from '../../core/uas/policy.ts';
import type { Fault } from './config-problem.ts';

export const SECONDS_MAX = 2 ** 31 - 1;

const NAMES = ['min-expires', 'default-expires', 'max-expires'] as const;
type Given = Readonly<{ [K in (typeof NAMES)[number]]?: number | undefined }>;
type Intervals = Pick<Policy, 'minExpiresS' | 'defaultExpiresS' | 'maxExpiresS'>;

/** Those that were given and are not in their order; paths below `policy`. */
export function intervalFaults(given: Given): Fault[] {
  const pairs = [
    [0, 1],
    [1, 2],
    [0, 2],
  ] as const;
  return pairs.flatMap(([low, high]): Fault[] => {
    const [a, b] = [given[NAMES[low]], given[NAMES[high]]];
    if (a === undefined || b === undefined || a <= b) return [];
    return [
      {
        path: [NAMES[low]],
        text: (spell) => `${a} is above ${spell(`policy.${NAMES[high]}`)}, which is ${b}`,
      },
    ];
  });
}

/** Those that were not given move to fit those that were. @param base where nothing is given */
export function intervals(given: Given, base: Intervals): Intervals {
  const defaultGiven = given['default-expires'];
  const min =
    given['min-expires'] ??
    Math.min(base.minExpiresS, defaultGiven ?? SECONDS_MAX, given['max-expires'] ?? SECONDS_MAX);
  const max = given['max-expires'] ?? Math.max(base.maxExpiresS, defaultGiven ?? 0, min);
  return {
    minExpiresS: min,
    defaultExpiresS: defaultGiven ?? Math.min(max, Math.max(min, base.defaultExpiresS)),
    maxExpiresS: max,
  };
}
