// Delivery of changes to one destination: in their order, each at least once, from the last life's position on. Refused changes are
// sent again after a growing pause; the sink does the sending.

import { setTimeout as pause } from 'node:timers/promises';
import * as z from 'zod';
import { SmallFile } from '../../location/files/small-file.ts';
import type { RetryConfig } from '../config/sections/feed-config.ts';
import type { Log } from '../process/log.ts';
import { reasonOf } from '../process/reason-of.ts';
import { withinTime } from '../process/time-limit.ts';
import type { FeedEntry, FeedReader } from './feed-reader.ts';

export interface Sink {
  /** Name of its file, its metrics and its lines in the log. */
  readonly name: 'webhook' | 'nats';
  /** Resolves when all entries are accepted; rejects where some may not be. */
  send(entries: readonly FeedEntry[], signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

export interface DeliveryReport {
  readonly to: string;
  /** Number of the last accepted change, or of the change that it began after. */
  readonly sequence: number;
  readonly delivered: number;
  readonly failures: number;
  /** Failed attempts since the last success. */
  readonly retries: number;
  /** How many times changes were gone before they could be sent. */
  readonly gaps: number;
  /** Whether the breaker is open: after many failures attempts are rare. */
  readonly open: boolean;
  /** Age of the oldest waiting change, in seconds. */
  readonly lagS: number;
}

interface DeliveryOptions {
  readonly sink: Sink;
  readonly config: RetryConfig & { readonly batchMax: number };
  /** File with its position. */
  readonly file: string;
  /** Number that a new delivery begins after. */
  readonly first: number;
  readonly open: (after: number) => FeedReader;
  readonly wait: (reader: FeedReader, signal: AbortSignal) => Promise<void>;
  readonly log: Log;
}

/** Interval of writing the position: changes sent since are sent again after a crash. */
const NOTE_MS = 1000;
const Place = z.strictObject({ sequence: z.number().int().nonnegative() });

export class Delivery {
  private readonly options: DeliveryOptions;
  private readonly file: SmallFile<z.infer<typeof Place>>;
  private readonly ending = new AbortController();
  private running: Promise<void> | undefined;
  private sequence: number;
  private notedAt = 0;
  private isNoted = true;
  private inARow = 0;
  /** Failures of the disk since the feed was read and its place noted. */
  private troubles = 0;
  private oldestAt = 0;
  private delivered = 0;
  private failures = 0;
  private gaps = 0;

  /** Throws where its file can neither be read nor written. */
  constructor(options: DeliveryOptions) {
    this.options = options;
    this.file = new SmallFile(options.file, { check: (content) => Place.parse(content) });
    const found = this.file.read();
    this.sequence = found?.content.sequence ?? options.first;
    if (found === undefined) this.file.write({ sequence: this.sequence });
    else this.file.settle(found);
  }

  get report(): DeliveryReport {
    const { sequence, delivered, failures, gaps, inARow: retries } = this;
    const lagS = this.oldestAt === 0 ? 0 : Math.max(0, (Date.now() - this.oldestAt) / 1000);
    return { to: this.options.sink.name, sequence, delivered, failures, retries, gaps, open: this.isOpen, lagS };
  }

  start(): void {
    this.running = this.run();
  }

  async close(): Promise<void> {
    this.ending.abort();
    await this.running;
    if (!this.isNoted) this.file.write({ sequence: this.sequence });
    await this.options.sink.close();
  }

  private get isOpen(): boolean {
    return this.inARow >= this.options.config.failures;
  }

  /** Begins again behind the last accepted change where the disk fails. */
  private async run(): Promise<void> {
    const { signal } = this.ending;
    while (!signal.aborted)
      await this.follow(signal).catch((error: unknown) =>
        pause(this.troubled(error), undefined, { signal, ref: false }).catch(() => {}),
      );
  }

  private async follow(signal: AbortSignal): Promise<void> {
    const { open, wait, config } = this.options;
    const reader = open(this.sequence);
    try {
      while (!signal.aborted) {
        const entries = reader.read(config.batchMax);
        const last = entries.at(-1);
        if (last !== undefined) {
          if (await this.sendAll(entries, signal)) this.accepted(entries, last.sequence);
          continue;
        }
        this.oldestAt = 0;
        this.note();
        await wait(reader, signal);
      }
    } finally {
      reader.close();
    }
  }

  /** False: it was stopped. */
  private async sendAll(entries: readonly FeedEntry[], signal: AbortSignal): Promise<boolean> {
    const { sink, config } = this.options;
    const [first] = entries;
    this.oldestAt = first.type === 'lost' ? Date.now() : first.at;
    while (!signal.aborted) {
      try {
        await withinTime(config.timeoutMs, signal, (stop) => sink.send(entries, stop));
        this.succeeded();
        return true;
      } catch (error) {
        if (signal.aborted) return false;
        await pause(this.failed(error), undefined, { signal, ref: false }).catch(() => {});
      }
    }
    return false;
  }

  private accepted(entries: readonly FeedEntry[], sequence: number): void {
    const { log, sink } = this.options;
    for (const entry of entries) {
      if (entry.type !== 'lost') this.delivered++;
      else {
        this.gaps++;
        const { from, sequence: until } = entry;
        log('error', 'changes were lost before they could be sent', { to: sink.name, from, until });
      }
    }
    this.sequence = sequence;
    this.isNoted = false;
    if (Date.now() - this.notedAt >= NOTE_MS) this.note();
  }

  private note(): void {
    if (!this.isNoted) {
      this.notedAt = Date.now();
      this.file.note({ sequence: this.sequence });
      this.isNoted = true;
    }
    if (this.troubles > 0) this.options.log('info', 'the feed is read and noted again', { to: this.options.sink.name });
    this.troubles = 0;
  }

  /** Returns the pause before the next attempt, in ms. */
  private troubled(error: unknown): number {
    const { sink, log } = this.options;
    this.troubles++;
    const told = { to: sink.name, error: reasonOf(error) };
    if (this.troubles === 1) log('error', 'the feed cannot be read, or its place not noted', told);
    return this.pauseMs(this.troubles);
  }

  private succeeded(): void {
    const { log, sink } = this.options;
    if (this.inARow > 0) log('info', 'changes are accepted again', { to: sink.name, failures: this.inARow });
    this.inARow = 0;
  }

  /** Returns the pause before the next attempt, in ms. */
  private failed(error: unknown): number {
    const { sink, config, log } = this.options;
    this.failures++;
    this.inARow++;
    const told = { to: sink.name, error: reasonOf(error) };
    if (this.inARow === 1) log('warn', 'changes were not accepted', told);
    if (this.inARow === config.failures) log('error', 'changes wait', told);
    return this.isOpen ? config.retryMaxMs : this.pauseMs(this.inARow);
  }

  /** Grows with the failures in a row. */
  private pauseMs(failures: number): number {
    const { retryMs, retryMaxMs } = this.options.config;
    return Math.min(retryMaxMs, retryMs * 2 ** (failures - 1)) * (0.5 + Math.random() / 2);
  }
}
