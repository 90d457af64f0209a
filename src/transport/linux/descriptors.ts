// Whether the process has file descriptors to spare for one more connection. The system gives the lowest free number, so that a
// number is the least count in use: a new one near the limit means that few are left.

import { closeSync, openSync } from 'node:fs';
import { descriptorLimit } from './descriptor-limit.ts';

/**
 * Descriptors that no connection of phones takes: for the store's files, for certificates and users that are read again, and for
 * operators in search of a fault. Lookups leave half of them, the admin listener a quarter. Of a small limit at most a quarter is
 * reserved.
 */
export const DESCRIPTORS_RESERVED = 512;
const SHARE_MAX = 1 / 4;

/** Share of the reserve that each kind leaves. */
const LEAVES = { phone: 1, lookup: 1 / 2, admin: 1 / 4 } as const;

export class Descriptors {
  private readonly limit: number;
  private readonly reserve: number;

  /** @param limit of the process; undefined where it is not known, and then every connection is accepted */
  constructor(limit = descriptorLimit()) {
    this.limit = limit ?? Number.POSITIVE_INFINITY;
    this.reserve = Math.min(DESCRIPTORS_RESERVED, Math.floor(this.limit * SHARE_MAX));
  }

  /** @param fd of the connection, where that is known; else the next free one is looked at */
  hasCapacity(kind: keyof typeof LEAVES, fd = this.nextFree()): boolean {
    return fd < this.limit - this.reserve * LEAVES[kind];
  }

  private nextFree(): number {
    if (this.limit === Number.POSITIVE_INFINITY) return 0;
    try {
      const fd = openSync('/dev/null', 'r');
      closeSync(fd);
      return fd;
    } catch {
      return this.limit;
    }
  }
}
