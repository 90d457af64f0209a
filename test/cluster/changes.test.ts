// The changes of a shard in a cluster: each node keeps those that it decided, their numbers rise from owner to owner, and one whose
// commit its node did not live to see is told exactly if the stream has it.

import { cpSync, readdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { type FeedEntry, FeedReader } from '../../src/server/feed/feed-reader.ts';
import { createFeedMemory, FeedNumbers } from '../../src/shard/feed/feed-memory.ts';
import { removeDirectories, temporaryDirectory } from '../support/aorta-process.ts';
import { Cluster, type ClusteredShard, type NodeOptions } from '../support/clustered-shard.ts';
import { SimulatedDisk } from '../support/simulated-log.ts';
import { type RegisterOptions, register } from '../support/virtual-shard.ts';

afterAll(removeDirectories);

type Kept = NonNullable<NodeOptions['changes']>;

function kept(last: number, directory = join(temporaryDirectory(), 'shard-0')): Kept {
  return { directory, memory: createFeedMemory(1, last) };
}

function read({ directory, memory }: Kept, after = 0): FeedEntry[] {
  const numbers = new FeedNumbers(memory);
  const reader = new FeedReader(dirname(directory), after, () => numbers.settledTo);
  try {
    return reader.read(1000);
  } finally {
    reader.close();
  }
}

const told = (entries: readonly FeedEntry[]) =>
  entries.map((entry) => (entry.type === 'lost' ? 'lost' : `${entry.type} ${entry.aor.split('@')[0]}`));

function send(node: ClusteredShard, user: string, cseq: number, more: RegisterOptions = {}): number | undefined {
  const to = `<sip:${user}@example.com>`;
  const branch = `z9hG4bK${user}${cseq}`;
  const contacts = [`<sip:${user}@192.0.2.1>`];
  return node.virtual.send(register({ to, from: `${to};tag=1`, callId: user, cseq, branch, contacts, ...more }))
    ?.status;
}

function diskOf(node: ClusteredShard): SimulatedDisk {
  const disk = new SimulatedDisk();
  for (const name of ['generations', 'settled', 'before'] as const)
    for (const [key, value] of node.disk[name])
      disk[name].set(key, (typeof value === 'number' ? value : value.slice()) as never);
  return disk;
}

/** What a machine has left that loses its process now: its disk and its feed. */
function crash(
  cluster: Cluster,
  node: ClusteredShard,
  { directory }: Kept,
  disk = diskOf(node),
): { disk: SimulatedDisk; changes: Kept } {
  const copy = join(temporaryDirectory(), 'shard-0');
  cpSync(directory, copy, { recursive: true });
  node.cluster.close();
  cluster.nodes.splice(cluster.nodes.indexOf(node), 1);
  return { disk, changes: kept(2_000_000, copy) };
}

function two(): { cluster: Cluster; a: ClusteredShard; b: ClusteredShard; ofA: Kept; ofB: Kept } {
  const cluster = new Cluster();
  const [ofA, ofB] = [kept(1_000_000), kept(1000)];
  const a = cluster.join({ changes: ofA });
  const b = cluster.join({ changes: ofB });
  a.claim();
  return { cluster, a, b, ofA, ofB };
}

describe('the changes of a shard with several nodes', () => {
  it('are kept by the node that decided them, under numbers that rise from owner to owner', () => {
    const { cluster, a, b, ofA, ofB } = two();
    expect(send(a, 'alice', 1)).toBe(200);
    cluster.pass(100);
    b.claim();
    expect(send(b, 'alice', 2)).toBe(200);
    expect(send(b, 'bob', 1)).toBe(200);
    cluster.pass(100);
    a.claim();
    expect(send(a, 'alice', 3, { expires: 0 })).toBe(200);
    expect([told(read(ofA)), told(read(ofB))]).toEqual([
      ['registered alice', 'unregistered alice'],
      ['refreshed alice', 'registered bob'],
    ]);
    const [first, last] = read(ofA).map(({ sequence }) => sequence);
    const [second, third] = read(ofB).map(({ sequence }) => sequence);
    const inOrder = [first, second, third, last];
    expect(inOrder).toEqual([...new Set(inOrder)].sort((one, other) => one - other));
  });

  it('are not told of a batch that another owner was faster than', () => {
    const { cluster, a, b, ofA } = two();
    send(a, 'alice', 1);
    cluster.pass(100);
    a.isPaused = true;
    b.claim();
    a.isPaused = false;
    expect(send(a, 'bob', 1)).toBeUndefined();
    cluster.pass(2000);
    a.virtual.batch([]);
    expect(told(read(ofA))).toEqual(['registered alice']);
    a.claim();
    expect(send(a, 'carol', 1)).toBe(200);
    expect(told(read(ofA))).toEqual(['registered alice', 'registered carol']);
  });

  it('that cannot be kept cost their node the shard, and no phone hears of it', () => {
    const { cluster, a, b, ofA, ofB } = two();
    rmSync(ofA.directory, { recursive: true });
    expect(send(a, 'alice', 1)).toBeUndefined();
    cluster.pass(100);
    expect([a.cluster.decides, a.cluster.trouble]).toEqual([false, expect.stringMatching(/^changes cannot be kept: /)]);
    b.claim();
    expect(send(b, 'alice', 1)).toBe(200);
    expect(told(read(ofB))).toEqual(['registered alice']);
  });

  it('are told where a cut of power took the end of the log, which the stream has', () => {
    const { cluster, a, ofA } = two();
    const users = ['alice', 'bob', 'carol', 'dave'];
    send(a, users[0], 1);
    cluster.pass(100);
    const before = diskOf(a);
    for (const user of users.slice(1)) expect(send(a, user, 1)).toBe(200);
    cluster.pass(100);
    const left = crash(cluster, a, ofA, before);
    const again = cluster.join({ node: 1, life: 2, ...left });
    cluster.pass(1000);
    again.claim();
    expect(send(again, 'erin', 1)).toBe(200);
    cluster.pass(100);
    again.virtual.batch([]);
    expect(told(read(left.changes))).toEqual([...users, 'erin'].map((user) => `registered ${user}`));
  });

  it('are told where the stream was made anew behind a log that a cut of power had shortened', () => {
    const { cluster, a, b, ofA } = two();
    send(a, 'alice', 1);
    cluster.pass(100);
    const before = diskOf(a);
    const { sequence } = a.cluster.applied;
    const lost = Array.from({ length: 9 }, (_, i) => `lost${i}`);
    for (const user of lost) expect(send(a, user, 1)).toBe(200);
    const left = crash(cluster, a, ofA, before);
    cluster.nodes.splice(cluster.nodes.indexOf(b), 1);
    cluster.stream.messages.length = sequence;
    const again = cluster.join({ node: 1, life: 2, ...left });
    again.claim();
    for (const user of ['dave', 'erin', 'frank']) {
      expect(send(again, user, 1)).toBe(200);
      expect(told(read(left.changes)).at(-1)).toBe(`registered ${user}`);
    }
    cluster.pass(100);
    expect(told(read(left.changes))).toEqual(
      ['alice', ...lost, 'dave', 'erin', 'frank'].map((user) => `registered ${user}`),
    );
  });

  it('are told by a node that follows such a stream, though no batch has the place of its last', () => {
    const { cluster, a, b, ofA, ofB } = two();
    send(a, 'alice', 1);
    cluster.pass(100);
    const [beforeA, beforeB] = [diskOf(a), diskOf(b)];
    const { sequence } = a.cluster.applied;
    for (const user of ['bob', 'carol', 'dave', 'erin']) expect(send(a, user, 1)).toBe(200);
    const { sequence: behind } = a.cluster.applied;
    cluster.pass(100);
    const [leftA, leftB] = [crash(cluster, a, ofA, beforeA), crash(cluster, b, ofB, beforeB)];
    cluster.stream.messages.length = sequence;
    const first = cluster.join({ node: 1, life: 2, ...leftA });
    const second = cluster.join({ node: 2, life: 2, ...leftB });
    second.claim();
    for (let i = 0; second.cluster.applied.sequence < behind - 1; i++) expect(send(second, `more${i}`, 1)).toBe(200);
    cluster.pass(100);
    expect(first.cluster.applied.sequence).toBe(behind - 1);
    first.claim();
    cluster.pass(100);
    expect(told(read(leftA.changes)).at(-1)).toBe('registered erin');
  });

  it.each([
    ['told after a crash once the stream turns out to have them', true],
    ['not told after a crash if the stream does not have them', false],
  ])('are %s', (_, isStored) => {
    const { cluster, a, b, ofA } = two();
    send(a, 'alice', 1);
    cluster.pass(100);
    cluster.stream.weather = { ...cluster.stream.weather, instant: 0 };
    if (!isStored) cluster.stream.loseLeader(500); // what is published meanwhile reaches nobody
    expect(send(a, 'bob', 1)).toBeUndefined();
    expect(told(read(ofA))).toEqual(['registered alice']);
    const left = crash(cluster, a, ofA);
    if (isStored) cluster.pass(100);
    expect(cluster.stream.last).toBe(isStored ? 3 : 2);
    const again = cluster.join({ node: 1, life: 2, ...left });
    if (!isStored) {
      expect(told(read(left.changes))).toEqual(['registered alice']);
      cluster.pass(1000);
      b.claim();
    }
    cluster.pass(1000);
    const expected = ['registered alice', ...(isStored ? ['registered bob'] : [])];
    expect(told(read(left.changes))).toEqual(expected);
    cluster.stream.weather = { ...cluster.stream.weather, instant: 1 };
    again.claim();
    expect(send(again, 'carol', 1)).toBe(200);
    cluster.pass(100);
    again.virtual.batch([]);
    expect(told(read(left.changes))).toEqual([...expected, 'registered carol']);
    expect(readdirSync(left.changes.directory)).toHaveLength(1);
  });
});
