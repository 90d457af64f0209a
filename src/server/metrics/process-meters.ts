// The process itself: memory, CPU, descriptors, the main thread's event loop and garbage collection. Names are those
// of Prometheus' own clients, so that existing dashboards find them.

import { readdirSync } from 'node:fs';
import { constants, type IntervalHistogram, monitorEventLoopDelay, PerformanceObserver } from 'node:perf_hooks';
import type { Exposition } from './exposition.ts';

const GC_KINDS: ReadonlyMap<number, string> = new Map([
  [constants.NODE_PERFORMANCE_GC_MAJOR, 'major'],
  [constants.NODE_PERFORMANCE_GC_MINOR, 'minor'],
  [constants.NODE_PERFORMANCE_GC_INCREMENTAL, 'incremental'],
  [constants.NODE_PERFORMANCE_GC_WEAKCB, 'weakcb'],
]);
const GC_BOUNDS = [0.001, 0.01, 0.1, 1];
const NS = 1e9;

export class ProcessMeters {
  private readonly delay: IntervalHistogram = monitorEventLoopDelay({ resolution: 20 });
  private readonly observer: PerformanceObserver;
  private readonly gc = new Map<string, { counts: number[]; sum: number }>();
  private readonly startedAt = Date.now() / 1000 - process.uptime();

  constructor() {
    this.delay.enable();
    for (const kind of GC_KINDS.values()) this.gc.set(kind, { counts: GC_BOUNDS.map(() => 0).concat(0), sum: 0 });
    this.observer = new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) {
        const { kind } = (entry as unknown as { detail: { kind: number } }).detail;
        const seen = this.gc.get(GC_KINDS.get(kind) ?? '');
        if (seen === undefined) continue;
        const seconds = entry.duration / 1000;
        const bucket = GC_BOUNDS.findIndex((bound) => seconds <= bound);
        seen.counts[bucket < 0 ? GC_BOUNDS.length : bucket]++;
        seen.sum += seconds;
      }
    });
    this.observer.observe({ entryTypes: ['gc'] });
  }

  /** 99th percentile of the main thread's event loop delay, in seconds, since the last scrape. */
  get eventLoopLagS(): number {
    return finite(this.delay.percentile(99) / NS);
  }

  write(out: Exposition): void {
    const { user, system } = process.cpuUsage();
    const memory = memoryUsage();
    out.counter('process_cpu_seconds_total', 'CPU time of all threads.', [[{}, (user + system) / 1e6]]);
    out.gauge('process_start_time_seconds', 'When the process began, since 1970.', [[{}, this.startedAt]]);
    if (memory !== undefined) {
      out.gauge('process_resident_memory_bytes', 'Memory in use.', [[{}, memory.rss]]);
      out.gauge('nodejs_heap_size_used_bytes', "The main thread's JavaScript heap in use.", [[{}, memory.heapUsed]]);
      out.gauge('nodejs_external_memory_bytes', 'Buffers outside of it.', [[{}, memory.external]]);
    }
    const fds = openFds();
    if (fds !== undefined) out.gauge('process_open_fds', 'Open file descriptors.', [[{}, fds]]);
    for (const [name, value] of [
      ['p50', this.delay.percentile(50)],
      ['p99', this.delay.percentile(99)],
      ['max', this.delay.max],
    ] as const) {
      const family = `nodejs_eventloop_lag_${name}_seconds`;
      out.gauge(family, `Lateness of the main thread's event loop since the last scrape, ${name}.`, [
        [{}, finite(value / NS)],
      ]);
    }
    this.delay.reset();
    out.histogram(
      'nodejs_gc_duration_seconds',
      "Garbage collection of the main thread; the shards' threads have their own.",
      [...this.gc].map(([kind, { counts, sum }]) => ({ labels: { kind }, bounds: GC_BOUNDS, counts, sum })),
    );
  }

  close(): void {
    this.delay.disable();
    this.observer.disconnect();
  }
}

/** Undefined where no descriptor is left to read it with. */
function memoryUsage(): NodeJS.MemoryUsage | undefined {
  try {
    return process.memoryUsage();
  } catch {
    return undefined;
  }
}

function openFds(): number | undefined {
  try {
    return readdirSync('/proc/self/fd').length;
  } catch {
    return undefined;
  }
}

/** Before the first tick the histogram has no values. */
function finite(value: number): number {
  return Number.isFinite(value) && value < 1e6 ? value : 0;
}
