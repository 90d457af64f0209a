// Given minimum, default and maximum intervals that are not in this order. Those not given move to fit (policy.ts).

import type { Fault } from './config-problem.ts';

export const SECONDS_MAX = 2 ** 31 - 1;

const NAMES = ['min-expires', 'default-expires', 'max-expires'] as const;
type Given = Readonly<{ [K in (typeof NAMES)[number]]?: number | undefined }>;

/** @param section of the intervals, e.g. `['policy']` */
export function intervalFaults(given: Given, section: readonly string[]): Fault[] {
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
        path: [...section, NAMES[low]],
        text: (spell) => `${a} is above ${spell([...section, NAMES[high]].join('.'))}, which is ${b}`,
      },
    ];
  });
}
