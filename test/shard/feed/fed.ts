// A shard with a store and a feed on disk, the real ones, for tests.

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { LocationStore } from '../../../src/location/location-store.ts';
import type { LogStore } from '../../../src/location/log/log-store.ts';
import { openLogStore } from '../../../src/location/open-log-store.ts';
import { type FeedEntry, FeedReader } from '../../../src/server/feed/feed-reader.ts';
import { createFeedMemory, FeedNumbers } from '../../../src/shard/feed/feed-memory.ts';
import type { FeedWriter } from '../../../src/shard/feed/feed-writer.ts';
import { openFeed } from '../../../src/shard/feed/open-feed.ts';
import { temporaryDirectory } from '../../support/aorta-process.ts';
import { register, VirtualShard } from '../../support/virtual-shard.ts';

interface Options {
  readonly directory?: string;
  readonly memory?: SharedArrayBuffer;
  readonly shard?: number;
  readonly refreshes?: boolean;
  readonly keepBytes?: number;
  readonly durability?: 'durable' | 'process';
}

export class Fed {
  readonly directory: string;
  readonly memory: SharedArrayBuffer;
  readonly numbers: FeedNumbers;
  readonly store: LogStore;
  readonly feed: FeedWriter;
  readonly shard: VirtualShard;
  readonly index: number;
  /** Called between the feed and the log. */
  beforeCommit = () => {};

  constructor({
    directory = temporaryDirectory(),
    memory,
    shard = 0,
    refreshes = true,
    keepBytes = 1 << 30,
    durability = 'process',
  }: Options = {}) {
    this.directory = directory;
    this.index = shard;
    this.memory = memory ?? createFeedMemory(2, 1000);
    this.numbers = new FeedNumbers(this.memory);
    this.store = openLogStore(join(directory, `store-${shard}`), durability);
    const options = { directory: this.feedDirectory, memory: this.memory, shard, refreshes, keepBytes };
    this.feed = openFeed({ ...options, durability }, this.store);
    const store = new Proxy<LocationStore>(this.store, {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name, target);
        if (name !== 'commit') return typeof value === 'function' ? value.bind(target) : value;
        return (...args: Parameters<LocationStore['commit']>) => {
          this.beforeCommit();
          return target.commit(...args);
        };
      },
    });
    this.shard = new VirtualShard({ store, feed: this.feed });
  }

  get feedDirectory(): string {
    return join(this.directory, 'feed', `shard-${this.index}`);
  }

  register(user: string, options: Parameters<typeof register>[0] = {}): number | undefined {
    const to = `<sip:${user}@example.com>`;
    const request = { to, from: `${to};tag=1`, callId: user, contacts: [`<sip:${user}@192.0.2.1>`], ...options };
    return this.shard.send(register(request))?.status;
  }

  read(after = 0, max = 1000): FeedEntry[] {
    const reader = new FeedReader(join(this.directory, 'feed'), after, () => this.numbers.settledTo);
    try {
      return reader.read(max);
    } finally {
      reader.close();
    }
  }

  get segments(): string[] {
    return readdirSync(this.feedDirectory).map((name) => join(this.feedDirectory, name));
  }

  close(): void {
    this.feed.close();
    this.store.close();
  }

  reopen(options: Options = {}): Fed {
    this.close();
    return new Fed({ directory: this.directory, memory: createFeedMemory(2, this.numbers.last), ...options });
  }
}

export const told = (entries: readonly FeedEntry[]) =>
  entries.map((entry) => (entry.type === 'lost' ? 'lost' : `${entry.type} ${entry.aor.split('@')[0]}`));
