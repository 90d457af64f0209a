import { createAorReader } from '../../src/core/lookup/aor-key.ts';
import { DEFAULT_PING_POLICY, type PingPolicy } from '../../src/core/pings/ping-policy.ts';
import { createPingResults } from '../../src/core/pings/ping-results.ts';
import { DEFAULT_POLICY, type Policy } from '../../src/core/uas/policy.ts';
import type { MemoryStore } from '../../src/location/memory-store.ts';
import { LocationLookup, type Lookup } from '../../src/server/lookups/location-lookup.ts';
import { StaticTable } from '../../src/shard/statics/static-table.ts';
import { answered } from './requests.ts';
import {
  type RegisterOptions,
  register,
  type SentRequest,
  type Source,
  VIRTUAL_SECRET,
  VirtualShard,
} from './virtual-shard.ts';
import { responseTo } from './watcher.ts';

export const NATTED = { ip: '203.0.113.7', port: 40_001 };
export const LISTENERS = [{ host: '192.0.2.1', port: 5060 }];

export interface World {
  readonly shard: VirtualShard;
  readonly policy: Policy;
  readonly results: SharedArrayBuffer;
  /** Pings since the last call. */
  pings(): SentRequest[];
  lookup(aor?: string): Lookup;
  register(options?: RegisterOptions, source?: Source): number;
}

export function world(
  policy: Partial<Omit<Policy, 'pings'>> & { pings?: Partial<PingPolicy> } = {},
  options: Partial<ConstructorParameters<typeof VirtualShard>[0]> = {},
): World {
  const results = createPingResults();
  const pings = { ...DEFAULT_PING_POLICY, ...policy.pings };
  const whole: Policy = { ...DEFAULT_POLICY, domains: ['example.com'], ping: 'all', ...policy, pings };
  const shard = new VirtualShard({
    ...options,
    policy: { ...whole, lookup: { sip: 'anyone', from: [] } },
    pings: { results: [results], sentBy: LISTENERS, udpByMain: false, tcpByMain: false },
  });
  let read = 0;
  let lookups: LocationLookup | undefined;
  const statics = new StaticTable({ data: null, aor: createAorReader(VIRTUAL_SECRET), failed: () => {} });
  return {
    shard,
    policy: whole,
    results,
    pings: () => {
      const sent = shard.requests.slice(read);
      read = shard.requests.length;
      return sent;
    },
    lookup: (aor = 'alice@example.com') => {
      lookups ??= new LocationLookup({
        ...{ readers: [(shard.store as MemoryStore).reader()], secret: VIRTUAL_SECRET, policy: whole },
        ...{ flows: null, statics, pings: [results] },
      });
      return lookups.lookup(aor, shard.now) as Lookup;
    },
    register: (fields = {}, source = NATTED) =>
      answered(shard, register({ contacts: ['<sip:alice@192.168.0.2:5060>'], ...fields }), source).status,
  };
}

/** Lets so many seconds pass; pings are answered `delayMs` later, but for those that `answers` does not want. */
export function pass(
  w: World,
  seconds: number,
  answers: (ping: SentRequest) => boolean = () => true,
  delayMs = 0,
): number {
  let sent = 0;
  for (let i = 0; i < seconds * 20; i++) {
    w.shard.now += 50;
    w.shard.batch([]);
    const pings = w.pings();
    sent += pings.length;
    w.shard.now += delayMs;
    for (const ping of pings.filter(answers)) w.shard.batch([responseTo(ping.text)]);
  }
  return sent;
}

export const silent = () => false;
