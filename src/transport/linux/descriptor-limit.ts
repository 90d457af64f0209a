// The limit of file descriptors of the process, where the system reports it: each connection takes one.

import { readFileSync } from 'node:fs';

/** Infinity where there is no limit, undefined where it is not known. */
export function descriptorLimit(): number | undefined {
  try {
    const [, limit] = /^Max open files +([0-9]+|unlimited)/m.exec(readFileSync('/proc/self/limits', 'latin1')) ?? [];
    if (limit === undefined) return undefined;
    return limit === 'unlimited' ? Number.POSITIVE_INFINITY : Number(limit);
  } catch {
    return undefined;
  }
}
