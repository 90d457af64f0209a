// Lookups beside a running pool: their readers and HTTP listeners. The shards answer lookups over SIP.

import { createAorReader } from '../../core/lookup/aor-key.ts';
import type { CallerPreferences } from '../../core/lookup/caller-preferences.ts';
import type { Policy } from '../../core/uas/policy.ts';
import type { ProcessClock } from '../../shard/process-clock.ts';
import { StaticTable } from '../../shard/statics/static-table.ts';
import type { Pool } from '../../threads/pool.ts';
import type { Config } from '../config/config.ts';
import type { HttpAddress } from '../config/sections/lookup-config.ts';
import type { DataDirectory } from '../data/data-directory.ts';
import type { Log } from '../process/log.ts';
import type { PushService } from '../push/push-service.ts';
import {
  LocationLookup,
  type Lookup,
  type LookupPreferences,
  type NoLookup,
  readCallerPreferences,
} from './location-lookup.ts';
import { type LookupListener, openLookupListener } from './lookup-listener.ts';

/** Lookups by HTTP, with each of a batch counted. */
export interface LookupCounts {
  found: number;
  nobody: number;
  refused: number;
}

/** Optional parts beside the bindings. */
export interface LookupParts {
  /** By shard, in a cluster: greatest age of this node's data. */
  readonly lagMs?: ((shard: number) => number) | undefined;
  /** Wakes devices. */
  readonly push?: PushService | undefined;
}

export class LookupService {
  readonly counts: LookupCounts = { found: 0, nobody: 0, refused: 0 };
  private readonly lookups: LocationLookup;
  private readonly clock: ProcessClock;
  private readonly push: PushService | undefined;
  private readonly listeners: LookupListener[] = [];

  /** Addresses of the HTTP listeners for lookups, with real ports. */
  get listen(): readonly HttpAddress[] {
    return this.listeners.map(({ address }) => address);
  }

  /** Rejects with the system's error where an address cannot be bound; nothing stays open then. */
  static async open(
    pool: Pool,
    directory: DataDirectory,
    config: Config,
    log: Log,
    beside: LookupParts = {},
  ): Promise<LookupService> {
    const service = new LookupService(pool, directory, config, beside);
    const find = (aor: string, preferences?: CallerPreferences) => service.find(aor, preferences);
    const asked = { find, wake: (aor: string) => service.wake(aor) };
    try {
      for (const address of config.lookupHttp)
        service.listeners.push(await openLookupListener(address, directory.path, asked, log));
    } catch (error) {
      await service.close();
      throw error;
    }
    return service;
  }

  private constructor(pool: Pool, { path, secret }: DataDirectory, { policy }: Config, { lagMs, push }: LookupParts) {
    this.push = push;
    this.clock = pool.clock;
    const statics = new StaticTable({ data: path, aor: createAorReader(secret), failed: () => {} }); // the shards log it
    const { flows, pingResults: pings } = pool;
    this.lookups = new LocationLookup({ readers: pool.openReaders(), secret, policy, flows, statics, lagMs, pings });
  }

  configure(policy: Policy): void {
    this.lookups.configure(policy);
  }

  /** Reads the tokens' files again; returns the names of the changed ones. Throws the system's error. */
  reloadTokens(): readonly string[] {
    return this.listeners.flatMap((listener) => listener.reloadToken());
  }

  lookup(aor: string, preferences?: LookupPreferences): Lookup | NoLookup {
    return this.lookups.lookup(aor, this.clock.now(), readCallerPreferences(preferences));
  }

  /** Resolves when the AOR's sleeping devices have woken, or their time is over; undefined: none sleeps. */
  wake(aor: string): Promise<void> | undefined {
    const { push } = this;
    const asleep = push && this.lookups.asleep(aor, this.clock.now());
    return push && asleep && push.wake(asleep.key, asleep.devices);
  }

  /** A lookup by HTTP, which is counted. */
  private find(aor: string, preferences: CallerPreferences | undefined): Lookup | NoLookup {
    const found = this.lookups.lookup(aor, this.clock.now(), preferences);
    if (typeof found === 'string') this.counts.refused++;
    else if (found.contacts.length > 0) this.counts.found++;
    else this.counts.nobody++;
    return found;
  }

  async close(): Promise<void> {
    await Promise.all(this.listeners.splice(0).map((listener) => listener.close()));
    this.lookups.close();
  }
}
