// The feed of a shard after crashes, cuts of power and damage: it has each change that was committed, or says that it is lost, and no other. The
// shard and its store on disk are the real ones.

import fs, { cpSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { type FeedEntry, FeedReader } from '../../../src/server/feed/feed-reader.ts';
import { createFeedMemory } from '../../../src/shard/feed/feed-memory.ts';
import { removeDirectories, temporaryDirectory } from '../../support/aorta-process.ts';
import { Fed, told } from './fed.ts';

afterAll(removeDirectories);

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
  it('syncs what it takes back, so that no later commit makes it count after a cut of power', () => {
    const fed = new Fed({ durability: 'durable' });
    fed.register('alice');
    const calls: string[] = [];
    const real = { ...fs };
    fed.beforeCommit = () => {
      for (const name of ['ftruncateSync', 'fdatasyncSync'] as const)
        Reflect.set(fs, name, (...args: [number]) => {
          calls.push(name);
          real[name](...args);
        });
      syncBuiltinESMExports();
      throw new Error('disk full');
    };
    expect(fed.register('bob')).toBe(503);
    Object.assign(fs, { ftruncateSync: real.ftruncateSync, fdatasyncSync: real.fdatasyncSync });
    syncBuiltinESMExports();
    expect(calls).toEqual(['ftruncateSync', 'fdatasyncSync']);
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

  it('has none that was never committed in a segment of an earlier version either, which does not name its log', () => {
    const fed = new Fed();
    fed.register('alice');
    const copy = temporaryDirectory();
    fed.beforeCommit = () => cpSync(fed.directory, copy, { recursive: true });
    fed.register('bob');
    fed.close();
    const [segment] = readdirSync(join(copy, 'feed/shard-0')).map((name) => join(copy, 'feed/shard-0', name));
    const bytes = readFileSync(segment);
    bytes.fill(0, 4, 8);
    writeFileSync(segment, bytes);
    const next = new Fed({ directory: copy, memory: createFeedMemory(2, 5000) });
    expect(told(next.read())).toEqual(['registered alice']);
    next.close();
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

  it.each([
    ['', 1 << 20],
    [', whole segments of them', 2000],
  ])('after a power cut has none of the changes whose commits did not last%s', (_, keepBytes) => {
    const fed = new Fed({ keepBytes });
    fed.register('alice');
    const copy = temporaryDirectory();
    cpSync(fed.directory, copy, { recursive: true });
    fed.register('bob');
    for (let i = 0; i < 4 || (keepBytes === 2000 && fed.segments.length < 3); i++) fed.register(`carol${i}`);
    cpSync(fed.feedDirectory, join(copy, 'feed/shard-0'), { recursive: true });
    fed.close();
    const after = new Fed({ directory: copy, memory: createFeedMemory(2, 5000), keepBytes });
    expect(told(after.read())).toEqual(['registered alice']);
    after.register('dave');
    expect(told(after.read())).toEqual(['registered alice', 'registered dave']);
    after.close();
  });

  it('keeps what it has of a log that another has replaced, as where the number of shards changes', () => {
    let fed = new Fed({ keepBytes: 3000 });
    for (let i = 0; i < 8; i++) fed.register(`user${i}`);
    expect(fed.segments.length).toBeGreaterThan(1);
    const before = fed.read();
    fed.close();
    rmSync(join(fed.directory, 'store-0'), { recursive: true });
    for (let life = 0; life < 2; life++) {
      fed = new Fed({ directory: fed.directory, memory: createFeedMemory(2, 5000), keepBytes: 3000 });
      expect(fed.read()).toEqual(before);
      fed.close();
    }
    fed = new Fed({ directory: fed.directory, memory: createFeedMemory(2, 5000), keepBytes: 1 << 20 });
    fed.register('late');
    fed.beforeCommit = () => cpSync(fed.directory, copy, { recursive: true });
    const copy = temporaryDirectory();
    fed.register('never');
    fed.close();
    fed = new Fed({ directory: copy, memory: createFeedMemory(2, 9000) });
    expect(told(fed.read())).toEqual([...told(before), 'registered late']);
    fed.close();
  });

  it('shows a reader nothing of a segment whose batch was not committed, though it has that open', () => {
    let fed = new Fed({ keepBytes: 2000 });
    const two = new Fed({ directory: fed.directory, memory: fed.memory, shard: 1 });
    const reader = new FeedReader(join(fed.directory, 'feed'), 0, () => fed.numbers.settledTo);
    for (let i = 0; fed.segments.length < 2; i++) fed.register(`user${i}`);
    for (let i = 0; statSync(fed.segments.sort()[1]).size < 500; i++) fed.register(`more${i}`);
    const seen: FeedEntry[] = [...reader.read(1000)];
    const segments = fed.segments.length;
    two.register('other');
    fed.beforeCommit = () => {
      expect(fed.segments.length, 'another segment').toBe(segments + 1);
      seen.push(...reader.read(1000));
      throw new Error('the thread ends');
    };
    const { failed } = fed.feed;
    fed.feed.failed = () => {};
    fed.register('never');
    fed.feed.failed = failed;
    fed.close();
    fed = new Fed({ directory: fed.directory, memory: fed.memory, keepBytes: 2000 });
    seen.push(...reader.read(1000));
    expect(told(seen).slice(-1)).toEqual(['registered other']);
    expect(told(seen)).not.toContain('registered never');
    reader.close();
    two.close();
    fed.close();
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
});
