// The feed of a shard: what a reader gets of what was registered, after commits that failed, and of what the oldest segments had. The shard and
// its store on disk are the real ones.

import { statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { FeedReader } from '../../../src/server/feed/feed-reader.ts';
import { removeDirectories } from '../../support/aorta-process.ts';
import { Fed, told } from './fed.ts';

afterAll(removeDirectories);

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
