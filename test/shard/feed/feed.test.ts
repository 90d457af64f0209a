// The feed of a shard: what a reader gets of what was registered, after commits that failed, crashes between the feed and the log,
// damage, and removal of the oldest. The shard and its store on disk are the real ones.

import fs, { cpSync, readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { LocationStore } from '../../../src/location/location-store.ts';
import type { LogStore } from '../../../src/location/log/log-store.ts';
import { openLogStore } from '../../../src/location/open-log-store.ts';
import { type FeedEntry, FeedReader } from '../../../src/server/feed/feed-reader.ts';
import { createFeedMemory, FeedNumbers } from '../../../src/shard/feed/feed-memory.ts';
import type { FeedWriter } from '../../../src/shard/feed/feed-writer.ts';
import { openFeed } from '../../../src/shard/feed/open-feed.ts';
import { removeDirectories, temporaryDirectory } from '../../support/aorta-process.ts';
import { register, VirtualShard } from '../../support/virtual-shard.ts';

afterAll(removeDirectories);

interface Options {
  readonly directory?: string;
  readonly memory?: SharedArrayBuffer;
  readonly shard?: number;
  readonly refreshes?: boolean;
  readonly keepBytes?: number;
}

/** A shard with a store and a feed on disk. */
class Fed {
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
  }: Options = {}) {
    this.directory = directory;
    this.index = shard;
    this.memory = memory ?? createFeedMemory(2, 1000);
    this.numbers = new FeedNumbers(this.memory);
    this.store = openLogStore(join(directory, `store-${shard}`), 'process');
    const options = { directory: this.feedDirectory, memory: this.memory, shard, refreshes, keepBytes };
    this.feed = openFeed({ ...options, durability: 'process' }, this.store);
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

const told = (entries: readonly FeedEntry[]) =>
  entries.map((entry) => (entry.type === 'lost' ? 'lost' : `${entry.type} ${entry.aor.split('@')[0]}`));

/** Calls `visit` before every call that changes a file, until `end`. */
function beforeEveryCall(visit: () => void): { end(): void } {
  const names = ['openSync', 'writeSync', 'ftruncateSync', 'renameSync', 'rmSync', 'closeSync'] as const;
  const real = { ...fs };
  let visiting = false;
  for (const name of names) {
    const call = Reflect.get(real, name) as (...args: unknown[]) => unknown;
    Reflect.set(fs, name, (...args: unknown[]) => {
      if (!visiting) {
        visiting = true;
        visit();
        visiting = false;
      }
      return call(...args);
    });
  }
  syncBuiltinESMExports();
  return {
    end: () => {
      for (const name of names) Reflect.set(fs, name, real[name]);
      syncBuiltinESMExports();
    },
  };
}

describe('a feed', () => {
  it('has every change once, under numbers that rise, from any of them on, also after a restart', () => {
    let fed = new Fed();
    expect(fed.register('alice')).toBe(200);
    fed.register('bob');
    fed.register('alice', { cseq: 2 });
    fed.register('alice', { cseq: 3, expires: 0 });
    const all = fed.read();
    expect(told(all)).toEqual(['registered alice', 'registered bob', 'refreshed alice', 'unregistered alice']);
    const numbers = all.map(({ sequence }) => sequence);
    expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
    expect(numbers[0]).toBeGreaterThan(1000);
    fed = fed.reopen();
    fed.register('carol');
    const later = fed.read(numbers[2]);
    expect(told(later)).toEqual(['unregistered alice', 'registered carol']);
    expect(later[1].sequence).toBeGreaterThan(numbers[3]);
    expect(later[1]).toMatchObject({ aor: 'carol@example.com', binding: { uri: 'sip:carol@192.0.2.1' } });
    fed.close();
  });

  it('leaves refreshes out where they are not asked for', () => {
    const fed = new Fed({ refreshes: false });
    fed.register('alice');
    fed.register('alice', { cseq: 2 });
    fed.register('bob');
    expect(told(fed.read())).toEqual(['registered alice', 'registered bob']);
    fed.close();
  });

  it('tells nothing of a batch whose commit fails, and goes on behind it', () => {
    const fed = new Fed();
    fed.register('alice');
    fed.beforeCommit = () => {
      throw new Error('disk full');
    };
    expect(fed.register('bob')).toBe(503);
    expect(told(fed.read())).toEqual(['registered alice']);
    fed.beforeCommit = () => {};
    expect(fed.register('bob', { cseq: 2 })).toBe(200);
    expect(told(fed.read())).toEqual(['registered alice', 'registered bob']);
    const again = fed.reopen();
    expect(told(again.read())).toEqual(['registered alice', 'registered bob']);
    again.close();
  });

  it('shows nothing that is not settled', () => {
    const fed = new Fed();
    const seen: string[][] = [];
    fed.beforeCommit = () => seen.push(told(fed.read()));
    fed.register('alice');
    fed.register('bob');
    expect(seen).toEqual([[], ['registered alice']]);
    fed.close();
  });

  it('after a crash between feed and log has no change that was never committed, and each that was', () => {
    const fed = new Fed();
    const moments: string[] = [];
    const crash = () => {
      const copy = temporaryDirectory();
      cpSync(fed.directory, copy, { recursive: true });
      moments.push(copy);
    };
    fed.register('alice');
    fed.beforeCommit = crash;
    fed.register('bob');
    crash();
    fed.close();
    const after = moments.map((directory) => {
      const next = new Fed({ directory, memory: createFeedMemory(2, 5000) });
      const found = told(next.read());
      next.register('carol');
      const more = told(next.read());
      next.close();
      return [found, more.at(-1)];
    });
    expect(after).toEqual([
      [['registered alice'], 'registered carol'],
      [['registered alice', 'registered bob'], 'registered carol'],
    ]);
  });

  it('loses nothing where the process ends before any of its calls of the file system, and says of nothing that it is lost', () => {
    const one = new Fed({ keepBytes: 2000 });
    const two = new Fed({ directory: one.directory, memory: one.memory, shard: 1, keepBytes: 2000 });
    const committed: string[] = [];
    const moments: { readonly directory: string; readonly committed: readonly string[] }[] = [];
    const watched = beforeEveryCall(() => {
      const directory = temporaryDirectory();
      cpSync(one.directory, directory, { recursive: true });
      moments.push({ directory, committed: [...committed] });
    });
    for (const [i, fed] of [one, two, two, two, two, one].entries()) {
      fed.register(`user${i}`);
      committed.push(`registered user${i}`);
    }
    watched.end();
    expect(two.segments.length, 'segments began meanwhile').toBeGreaterThan(1);
    one.close();
    two.close();
    for (const moment of moments) {
      const { directory } = moment;
      const memory = createFeedMemory(2, 5000);
      const again = [0, 1].map((shard) => new Fed({ directory, memory, shard }));
      for (const fed of again) fed.register('late');
      // A kill may come behind the commit of a change that was not answered yet.
      const found = told(again[0].read(1000)).filter((one) => one !== 'registered late');
      expect(found.slice(0, moment.committed.length)).toEqual(moment.committed);
      expect(found.slice(moment.committed.length)).not.toContain('lost');
      for (const fed of again) fed.close();
    }
  });

  it('loses the first change of all to no crash either', () => {
    const fed = new Fed();
    const copies = [temporaryDirectory(), temporaryDirectory()];
    fed.beforeCommit = () => cpSync(fed.directory, copies[0], { recursive: true });
    fed.register('alice');
    cpSync(fed.directory, copies[1], { recursive: true });
    fed.close();
    const found = copies.map((directory) => {
      const next = new Fed({ directory, memory: createFeedMemory(2, 5000) });
      const entries = told(next.read());
      next.close();
      return entries;
    });
    expect(found).toEqual([[], ['registered alice']]);
  });

  it('after a power cut has none of the changes whose commits did not last', () => {
    const fed = new Fed();
    fed.register('alice');
    const copy = temporaryDirectory();
    cpSync(fed.directory, copy, { recursive: true });
    fed.register('bob');
    fed.register('carol');
    cpSync(fed.feedDirectory, join(copy, 'feed/shard-0'), { recursive: true });
    fed.close();
    const after = new Fed({ directory: copy, memory: createFeedMemory(2, 5000) });
    expect(told(after.read())).toEqual(['registered alice']);
    after.register('dave');
    expect(told(after.read())).toEqual(['registered alice', 'registered dave']);
    after.close();
  });

  it('goes on behind a batch that was torn, and says what is lost where it was committed', () => {
    let fed = new Fed();
    fed.register('alice');
    const [{ sequence }] = fed.read();
    fed.register('bob');
    const [segment] = fed.segments;
    truncateSync(segment, statSync(segment).size - 9);
    fed = fed.reopen();
    expect(told(fed.read())).toEqual(['registered alice']);
    fed.register('carol');
    const all = fed.read();
    expect(told(all)).toEqual(['registered alice', 'lost', 'registered carol']);
    expect(all[1]).toEqual({ type: 'lost', from: sequence + 1, sequence: sequence + 1 });
    fed = fed.reopen();
    expect(told(fed.read(sequence))).toEqual(['lost', 'registered carol']);
    fed.close();
  });

  it('says what is lost to damage, and has the rest', () => {
    const fed = new Fed();
    fed.register('alice');
    const [segment] = fed.segments;
    const at = statSync(segment).size - 20;
    fed.register('bob');
    const bytes = readFileSync(segment);
    bytes[at] ^= 1;
    writeFileSync(segment, bytes);
    expect(told(fed.read())).toEqual(['lost', 'registered bob']);
    const again = fed.reopen();
    again.register('carol');
    expect(told(again.read())).toEqual(['lost', 'registered bob', 'registered carol']);
    again.close();
  });

  it('says what is lost behind a damaged header of a batch, and where a file is no segment any more', () => {
    let fed = new Fed();
    fed.register('alice');
    const [segment] = fed.segments;
    const at = statSync(segment).size;
    fed.register('bob');
    fed.register('carol');
    const bytes = readFileSync(segment);
    bytes.fill(0x55, at, at + 48);
    writeFileSync(segment, bytes);
    fed = fed.reopen();
    fed.register('dave');
    const all = fed.read();
    expect(told(all)).toEqual(['registered alice', 'lost', 'registered dave']);
    const before = all[2].sequence - 1;
    const newest = fed.segments.sort().at(-1) ?? '';
    writeFileSync(newest, Buffer.alloc(statSync(newest).size, 0x55));
    fed = fed.reopen();
    fed.register('erin');
    expect(told(fed.read(before)), 'dave is lost').toEqual(['lost', 'registered erin']);
    fed.close();
  });

  it('keeps so many bytes, and tells a reader what it came too late for', () => {
    const keepBytes = 64 << 10;
    const fed = new Fed({ keepBytes });
    for (let i = 0; i < 1000; i++) fed.register(`user${i}`);
    expect(fed.segments.reduce((sum, path) => sum + statSync(path).size, 0)).toBeLessThan(keepBytes * 1.3);
    const [gap, ...rest] = fed.read(0, 2000);
    expect(gap).toMatchObject({ type: 'lost', from: 1 });
    const first = rest[0];
    expect(gap.sequence).toBe(first.sequence - 1);
    expect(told(rest).at(-1)).toBe('registered user999');
    expect(rest.map(({ sequence }) => sequence)).toEqual(rest.map((_, i) => first.sequence + i));
    fed.close();
  });

  it('has the changes of several shards in the order of their numbers, and waits for who is not settled', () => {
    const one = new Fed();
    const two = new Fed({ directory: one.directory, memory: one.memory, shard: 1 });
    for (let i = 0; i < 20; i++) (i % 3 === 0 ? one : two).register(`user${i}`);
    const names = Array.from({ length: 20 }, (_, i) => `registered user${i}`);
    expect(told(one.read())).toEqual(names);
    let between: string[] = [];
    one.beforeCommit = () => {
      two.register('late');
      between = told(one.read());
    };
    one.register('early');
    expect(between).toEqual(names); // "late" is settled, and stands behind "early", which is not
    expect(told(one.read())).toEqual([...names, 'registered early', 'registered late']);
    one.close();
    two.close();
  });

  it('gives a reader the same by small pieces', () => {
    const fed = new Fed({ keepBytes: 32 << 10 });
    const reader = new FeedReader(join(fed.directory, 'feed'), 1000, () => fed.numbers.settledTo);
    const found: string[] = [];
    for (let i = 0; i < 300; i++) {
      fed.register(`user${i}`);
      if (i % 7 === 0) found.push(...told(reader.read(3)));
    }
    for (let more = reader.read(3); more.length > 0; more = reader.read(3)) found.push(...told(more));
    const gaps = found.filter((one) => one === 'lost').length;
    const users = found.filter((one) => one !== 'lost');
    expect(users.at(-1)).toBe('registered user299');
    expect(new Set(users).size).toBe(users.length);
    expect(users.length < 300).toBe(gaps > 0);
    reader.close();
    fed.close();
  });
});
