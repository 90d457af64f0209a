// Limits on the bindings of domains. The remaining capacity of each is in shared memory: a shard takes from it for added bindings
// and returns it for those that phones remove. Expired bindings return nothing: all bindings are counted in the background, and the
// capacity is corrected by the count. Nothing runs where no domain has a limit.

import { expiresAtOf, imageLength } from '../../core/binding/binding.ts';
import { ByName } from '../../core/uas/by-name.ts';
import type { DomainPolicy, Policy } from '../../core/uas/policy.ts';
import { type LocationReader, SCAN_START } from '../../location/location-reader.ts';
import { RECORD_HEADER_BYTES, recordAorLength } from '../../location/record.ts';
import { AT_SIGN } from '../../sip/scanner.ts';
import { every } from '../../transport/every.ts';
import { NearLimits } from './limit-watch.ts';
import type { Log } from './log.ts';

const LOOK_MS = 1000;
/** A count rests this many times as long as it took. */
const REST = 9;
const REST_MS_MIN = 2000;
const SLICE = 512;

export interface QuotaUsage {
  readonly domain: string;
  readonly used: number;
  readonly max: number;
}

interface Quota {
  max: number;
  /** Remaining capacity, one number. */
  readonly capacity: Int32Array;
}

export class DomainQuotas {
  private readonly quotas = new Map<string, Quota>();
  private readonly near: NearLimits;
  private readonly log: Log;
  private timer: NodeJS.Timeout | undefined;
  private counting = false;
  private closed = false;
  private next = 0;

  constructor(log: Log) {
    this.log = log;
    this.near = new NearLimits(log, 'bindings of a domain: limit');
  }

  /** Use by domain, as of now. */
  get usage(): readonly QuotaUsage[] {
    return [...this.quotas].map(([domain, { max, capacity }]) => ({
      domain,
      max,
      used: max - Atomics.load(capacity, 0),
    }));
  }

  /** The policy for the shards, with the shared numbers. A former limit keeps its count. */
  share(policy: Policy): Policy {
    const shared = Object.entries(policy.byDomain).map(([domain, own]): [string, DomainPolicy] => {
      const { bindingsMax: max = 0 } = own;
      return max === 0 ? [domain, own] : [domain, { ...own, capacity: this.capacityOf(domain, max) }];
    });
    const limited = new Set(shared.filter(([, { capacity }]) => capacity !== undefined).map(([domain]) => domain));
    for (const domain of this.quotas.keys()) if (!limited.has(domain)) this.quotas.delete(domain);
    return { ...policy, byDomain: Object.fromEntries(shared) };
  }

  /** @param readers by shard @param now the time that bindings live by, epoch ms */
  start(readers: readonly LocationReader[], now: () => number): void {
    const look = () => {
      if (this.quotas.size === 0) return;
      for (const { domain, used, max } of this.usage) this.near.tell(domain, used, max, { domain });
      if (this.counting || performance.now() < this.next) return;
      this.counting = true;
      void this.count(readers, now).finally(() => {
        this.counting = false;
      });
    };
    const failed = (error: Error) =>
      this.log('error', 'bindings of domains cannot be counted', { error: error.message });
    look();
    this.timer = every(LOOK_MS, look, failed);
  }

  close(): void {
    this.closed = true;
    clearInterval(this.timer);
  }

  private capacityOf(domain: string, max: number): Int32Array {
    const quota = this.quotas.get(domain) ?? { max: 0, capacity: new Int32Array(new SharedArrayBuffer(4)) };
    Atomics.add(quota.capacity, 0, max - quota.max);
    quota.max = max;
    this.quotas.set(domain, quota);
    return quota.capacity;
  }

  /**
   * Bindings added during the count may be counted twice, so that a domain has too little capacity for a while and never too much.
   */
  private async count(readers: readonly LocationReader[], now: () => number): Promise<void> {
    const began = performance.now();
    const before = new Map([...this.quotas].map(([domain, { capacity }]) => [domain, Atomics.load(capacity, 0)]));
    const counts = new ByName([...before.keys()].map((domain) => [domain, { domain, count: 0 }]));
    const found = new Map<string, number>();
    const visit = (record: Uint8Array, at: number) => {
      const images = RECORD_HEADER_BYTES + recordAorLength(record, 0);
      const host = record.lastIndexOf(AT_SIGN, images - 1) + 1;
      const entry = counts.find(record, host, images);
      if (entry !== undefined) found.set(entry.domain, (found.get(entry.domain) ?? 0) + liveImages(record, images, at));
    };
    try {
      for (const reader of readers)
        for (let after: Uint8Array | undefined = SCAN_START; after !== undefined && !this.closed; await turn())
          after = reader.scan(after, SLICE, (_key, record) => visit(record, now()));
      if (!this.closed) this.correct(before, found);
    } catch (error) {
      this.log('warn', 'bindings of domains cannot be counted', { error: (error as Error).message });
    }
    this.next = performance.now() + Math.max(REST_MS_MIN, (performance.now() - began) * REST);
  }

  private correct(before: ReadonlyMap<string, number>, found: ReadonlyMap<string, number>): void {
    for (const [domain, capacityBefore] of before) {
      const quota = this.quotas.get(domain);
      if (quota === undefined) continue;
      const given = Math.max(0, Atomics.load(quota.capacity, 0) - capacityBefore);
      Atomics.add(quota.capacity, 0, quota.max - (found.get(domain) ?? 0) - capacityBefore - given);
    }
  }
}

function liveImages(record: Uint8Array, from: number, now: number): number {
  let count = 0;
  for (let at = from; at < record.length; at += imageLength(record, at)) if (expiresAtOf(record, at) > now) count++;
  return count;
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
