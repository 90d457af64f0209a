// The feed of changes as the main thread has it: options of the shards, readers, and deliveries. Loaded only where the configuration
// has the section.

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { nodeFiles } from '../../location/files/file-calls.ts';
import { createFeedMemory, FeedNumbers } from '../../shard/feed/feed-memory.ts';
import type { FeedOptions } from '../../shard/feed/feed-writer.ts';
import { every } from '../../transport/every.ts';
import type { FeedConfig, RetryConfig } from '../config/sections/feed-config.ts';
import type { Log } from '../process/log.ts';
import { Delivery, type DeliveryReport, type Sink } from './delivery.ts';
import { type FeedEntry, FeedReader, shardDirectories } from './feed-reader.ts';
import { newestNumber } from './shard-feed.ts';

const FOLDER = 'feed';
/** Interval of looks for new changes, while a reader waits for one. */
const LOOK_MS = 20;
const READ_MAX = 256;

export interface FeedSetUp {
  readonly config: FeedConfig;
  /** The data directory. */
  readonly data: string;
  readonly shards: number;
  readonly durability: 'durable' | 'process';
  readonly log: Log;
  /** Name of this node, in a cluster. */
  readonly node?: string;
}

export interface ChangesOptions {
  /** The number of the last known change: the next ones follow. By default those from now on. */
  readonly since?: number | undefined;
  /** Ends the iteration. */
  readonly signal?: AbortSignal | undefined;
}

export class Feed {
  private readonly deliveries: Delivery[] = [];
  private readonly setUp: FeedSetUp;
  private readonly directory: string;
  private readonly memory: SharedArrayBuffer;
  private readonly numbers: FeedNumbers;
  private readonly waiting = new Set<() => void>();
  private timer: NodeJS.Timeout | undefined;
  private closed = false;

  /** Throws the system's error where the directory cannot be made or read. */
  constructor(setUp: FeedSetUp) {
    this.setUp = setUp;
    this.directory = join(setUp.data, FOLDER);
    for (let shard = 0; shard < setUp.shards; shard++)
      mkdirSync(this.shardDirectory(shard), { recursive: true, mode: 0o700 });
    if (setUp.durability === 'durable') for (const path of [this.directory, setUp.data]) nodeFiles.syncDirectory(path);
    // Numbers rise even if the directory came from a backup, or the feed was removed: no number refers to two changes.
    const last = Math.max(Date.now() * 1000, ...shardDirectories(this.directory).map(newestNumber));
    this.memory = createFeedMemory(setUp.shards, last);
    this.numbers = new FeedNumbers(this.memory);
  }

  /** Options for the thread of a shard. */
  optionsOf(shard: number): FeedOptions {
    const { config, durability } = this.setUp;
    const { keepBytes, refreshes } = config;
    return { directory: this.shardDirectory(shard), memory: this.memory, shard, refreshes, keepBytes, durability };
  }

  /** Begins the deliveries, once the shards are open. */
  async start(): Promise<void> {
    const { webhook, nats } = this.setUp.config;
    if (webhook !== undefined) {
      const { WebhookSink } = await import('./webhook-sink.ts');
      this.deliver(new WebhookSink(webhook), webhook);
    }
    if (nats !== undefined) {
      const { NatsSink } = await import('./nats-sink.ts');
      this.deliver(new NatsSink(nats, this.setUp), nats);
    }
  }

  /**
   * Changes in their order; waits for the next. When the feed closes, it ends after the last change.
   * @throws RangeError where `since` is no number of a change
   */
  changes({ since, signal }: ChangesOptions = {}): AsyncIterableIterator<FeedEntry> {
    if (since !== undefined && !(Number.isSafeInteger(since) && since >= 0 && since <= this.numbers.last))
      throw new RangeError(`${since} is no number of a change`);
    return this.follow(this.reader(since ?? this.numbers.settledTo), signal);
  }

  get reports(): readonly DeliveryReport[] {
    return this.deliveries.map(({ report }) => report);
  }

  /** Number of the newest change that can be read. */
  get newest(): number {
    return this.numbers.settledTo;
  }

  async close(): Promise<void> {
    this.closed = true;
    this.look();
    this.rest();
    await Promise.all(this.deliveries.map((delivery) => delivery.close()));
  }

  private readonly settledTo = (): number => this.numbers.settledTo;

  private async *follow(reader: FeedReader, signal: AbortSignal | undefined): AsyncGenerator<FeedEntry, undefined> {
    try {
      for (;;) {
        const entries = signal?.aborted ? [] : reader.read(READ_MAX);
        yield* entries;
        if (signal?.aborted || (entries.length === 0 && this.closed)) return undefined;
        if (entries.length > 0) continue;
        const changed = this.wait(reader, signal);
        this.timer?.ref(); // a waiting program must not exit
        await changed;
      }
    } finally {
      reader.close();
    }
  }

  /** Resolves when there may be more to read, or the feed has closed. */
  private wait(reader: FeedReader, signal: AbortSignal | undefined): Promise<void> {
    const isOver = () => this.closed || signal?.aborted === true || reader.mayHaveMore;
    if (isOver()) return Promise.resolve();
    return new Promise((resolve) => {
      const look = () => {
        if (!isOver()) return;
        this.waiting.delete(look);
        if (this.waiting.size === 0) this.rest();
        resolve();
      };
      this.waiting.add(look);
      const failed = (error: Error) => this.setUp.log('error', 'the feed cannot be read', { error: error.message });
      this.timer ??= every(LOOK_MS, () => this.look(), failed);
    });
  }

  private reader(after: number): FeedReader {
    return new FeedReader(this.directory, after, this.settledTo, this.setUp.node);
  }

  private deliver(sink: Sink, config: RetryConfig & { readonly batchMax: number }): void {
    const { directory } = this;
    const delivery = new Delivery({
      sink,
      config,
      file: join(directory, `${sink.name}.json`),
      first: this.numbers.settledTo,
      open: (after) => this.reader(after),
      wait: (reader, signal) => this.wait(reader, signal),
      log: this.setUp.log,
    });
    this.deliveries.push(delivery);
    delivery.start();
  }

  private look(): void {
    for (const look of [...this.waiting]) look();
  }

  private rest(): void {
    clearInterval(this.timer);
    this.timer = undefined;
  }

  private shardDirectory(shard: number): string {
    return join(this.directory, `shard-${shard}`);
  }
}
