// Used share of each hard limit: memory, disk, connections, descriptors. It is read every few seconds and logged once at
// 80%, and once when it is below again. health (/readyz) and the listeners act on a reached limit.

import { readdirSync } from 'node:fs';
import { diskSpace } from '../../location/files/disk-space.ts';
import { every } from '../../transport/every.ts';
import { descriptorLimit } from '../../transport/linux/descriptor-limit.ts';
import { memoryLimit } from '../../transport/memory-limit.ts';
import type { Log } from './log.ts';

/** Share of a limit from which there is an alarm, and below which it ends. */
const ALARM_AT = 0.8;
const ALARM_UNTIL = 0.75;
/** Share from which a limit counts as reached. */
const REACHED_AT = 0.98;
/** Free bytes that a disk needs, for a few generations of a log: a large one may be nearly full for years. */
const DISK_LEFT = 256 << 20;
const LOOK_MS = 2000;

export const LIMITS = ['memory', 'disk', 'connections', 'file_descriptors'] as const;
export type LimitName = (typeof LIMITS)[number];

export interface LimitUsage {
  readonly limit: LimitName;
  readonly used: number;
  readonly max: number;
  /** used / max */
  readonly share: number;
}

/** Used and greatest values; undefined where this machine does not report them. */
export type LimitSource = () => Readonly<Record<LimitName, readonly [used: number, max: number] | undefined>>;

/** Logs once when a value comes near its limit, and once when that is over. */
export class NearLimits {
  private readonly log: Log;
  private readonly what: string;
  private readonly alarmed = new Set<string>();

  /** @param what prefix of the log's events: `limit` */
  constructor(log: Log, what: string) {
    this.log = log;
    this.what = what;
  }

  tell(name: string, used: number, max: number, more: object): void {
    const share = used / max;
    const fields = { ...more, used, max, percent: Math.round(share * 100) };
    if (share >= ALARM_AT && !this.alarmed.has(name)) {
      this.alarmed.add(name);
      this.log('warn', `${this.what} nearly reached`, fields);
    } else if (share < ALARM_UNTIL && this.alarmed.delete(name))
      this.log('info', `${this.what} no longer near`, fields);
  }
}

export class LimitWatch {
  /** As of the last look. */
  usage: readonly LimitUsage[] = [];
  private readonly source: LimitSource;
  private readonly near: NearLimits;
  private readonly timer: NodeJS.Timeout;

  constructor(source: LimitSource, log: Log) {
    this.source = source;
    this.near = new NearLimits(log, 'limit');
    this.look();
    this.timer = every(
      LOOK_MS,
      () => this.look(),
      (error) => log('error', 'limits cannot be looked at', { error: error.message }),
    );
  }

  /** Limits that count as reached. */
  get reached(): readonly LimitUsage[] {
    return this.usage.filter(
      ({ limit, share, used, max }) => share >= REACHED_AT && (limit !== 'disk' || max - used < DISK_LEFT),
    );
  }

  close(): void {
    clearInterval(this.timer);
  }

  private look(): void {
    const found = this.source();
    this.usage = LIMITS.flatMap((limit) => {
      const [used, max] = found[limit] ?? [0, 0];
      return max > 0 ? [{ limit, used, max, share: used / max }] : [];
    });
    for (const { limit, used, max } of this.usage) this.near.tell(limit, used, max, { limit });
  }
}

/** @param data directory whose disk counts @param connections number of open ones, and their limit */
export function systemLimits(data: string, connections: () => readonly [used: number, max: number]): LimitSource {
  return () => ({
    memory: memory(),
    disk: diskOf(data),
    connections: connections(),
    file_descriptors: descriptors(),
  });
}

function diskOf(directory: string): readonly [number, number] | undefined {
  try {
    const { free, size } = diskSpace(directory);
    return [size - free, size];
  } catch {
    return undefined;
  }
}

/** Undefined where the system's file with the used memory cannot be read. */
function memory(): readonly [number, number] | undefined {
  try {
    return [process.memoryUsage.rss(), memoryLimit()];
  } catch {
    return undefined;
  }
}

function descriptors(): readonly [number, number] | undefined {
  try {
    const limit = descriptorLimit();
    return limit === undefined || limit === Number.POSITIVE_INFINITY
      ? undefined
      : [readdirSync('/proc/self/fd').length, limit];
  } catch {
    return undefined;
  }
}
