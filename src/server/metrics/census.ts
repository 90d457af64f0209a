// Bindings by transport and domain: counted by reading them all in the background, on demand, in a small part of the time at most. The
// shards keep no such counts, which would cost every registration something.

import type { Locations } from '../admin/locations.ts';

/** A census rests this many times as long as it took, and so long at least: for a viewer of the page, or for repeated scrapes. */
const RESTS = { page: { times: 9, msMin: 5000 }, scrape: { times: 99, msMin: 60_000 } } as const;
const DOMAINS_SHOWN = 50;

export interface CensusResult {
  /** When the census ended, epoch ms; null before the first. */
  readonly at: number | null;
  readonly bindings: number;
  /** Further bindings whose devices sleep; null where no push service is used. */
  readonly asleep: number | null;
  readonly transports: Readonly<Record<string, number>>;
  readonly domains: Readonly<Record<string, number>>;
}

export class Census {
  private readonly locations: () => Locations;
  private result: CensusResult = { at: null, bindings: 0, asleep: null, transports: {}, domains: {} };
  private endedAt = Number.NEGATIVE_INFINITY;
  private tookMs = 0;
  private counting = false;

  constructor(locations: () => Locations) {
    this.locations = locations;
  }

  /** The newest result; starts the next census where one is due. */
  latest(asker: keyof typeof RESTS): CensusResult {
    const { times, msMin } = RESTS[asker];
    const rested = performance.now() - this.endedAt;
    if (!this.counting && rested >= Math.max(msMin, this.tookMs * times)) {
      this.counting = true;
      void this.count().finally(() => {
        this.counting = false;
      });
    }
    return this.result;
  }

  private async count(): Promise<void> {
    const began = performance.now();
    const transports = new Map<string, number>();
    const domains = new Map<string, number>();
    let bindings = 0;
    try {
      for await (const items of this.locations().all({})) {
        for (const { aor, contacts } of items) {
          const domain = aor.slice(aor.lastIndexOf('@') + 1);
          domains.set(domain, (domains.get(domain) ?? 0) + contacts.length);
          bindings += contacts.length;
          for (const { source } of contacts)
            transports.set(source.transport, (transports.get(source.transport) ?? 0) + 1);
        }
      }
      const asleep = await this.countAsleep();
      const by = { transports: Object.fromEntries(transports), domains: largest(domains) };
      this.result = { at: Date.now(), bindings, asleep, ...by };
    } catch {
      // A stopping pool: there is no result to keep.
    }
    this.endedAt = performance.now();
    this.tookMs = this.endedAt - began;
  }

  private async countAsleep(): Promise<number | null> {
    const locations = this.locations();
    if (!locations.keepsAsleep) return null;
    let asleep = 0;
    for await (const items of locations.all({ asleep: true }))
      for (const { contacts } of items) asleep += contacts.length;
    return asleep;
  }
}

function largest(domains: ReadonlyMap<string, number>): Record<string, number> {
  const sorted = [...domains].sort(([, a], [, b]) => b - a);
  const others = sorted.slice(DOMAINS_SHOWN).reduce((sum, [, count]) => sum + count, 0);
  return { ...Object.fromEntries(sorted.slice(0, DOMAINS_SHOWN)), ...(others > 0 && { '': others }) };
}
