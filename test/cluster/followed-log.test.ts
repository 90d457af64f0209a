// A node's log on a real disk: what it has of the stream is found in it after a start, from a checkpoint or without one.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { openLogStore } from '../../src/location/open-log-store.ts';
import { writeCheckpoint } from '../support/checkpoint-file.ts';
import { Cluster, type ClusteredShard } from '../support/clustered-shard.ts';
import { storedBindings } from '../support/stored-bindings.ts';
import { register } from '../support/virtual-shard.ts';

const base = mkdtempSync(join(tmpdir(), 'aorta-followed-'));

afterAll(() => {
  rmSync(base, { recursive: true, force: true });
});

function phones(node: ClusteredShard, from: number, to: number): void {
  for (let i = from; i < to; i++) {
    const request = register({ to: `<sip:u${i}@example.com>`, callId: `c${i}`, contacts: [`<sip:u${i}@192.0.2.9>`] });
    expect(node.virtual.send(request)?.status).toBe(200);
  }
}

describe('a log that follows a stream, on disk', () => {
  it.each(['durable', 'process'] as const)(
    '%s: a start finds how far it was, with a checkpoint and behind it',
    (durability) => {
      const directory = join(base, durability);
      const cluster = new Cluster();
      const owner = cluster.join();
      owner.claim();
      let life = 1;
      const start = () => cluster.join({ node: 2, life: life++, log: openLogStore(directory, durability) });
      let follower = start();
      const restart = () => {
        cluster.nodes.pop();
        follower.cluster.close();
        follower.store.close();
        follower = start();
      };
      phones(owner, 0, 20);
      cluster.pass(100);
      restart();
      expect(follower.store.replayed.entries).toBeGreaterThan(20);
      expect(follower.store.applied()?.sequence).toBe(cluster.stream.last);
      writeCheckpoint(follower.store, directory);
      restart(); // and the checkpoint ends with the last frame of all
      expect([follower.store.checkpoint.problem, follower.store.replayed.entries]).toEqual([undefined, 0]);
      expect(follower.cluster.applied).toEqual(owner.cluster.applied);
      phones(owner, 20, 30);
      cluster.pass(100);
      restart();
      expect(follower.store.replayed.entries).toBe(20); // ten frames: how far each was, and a record
      phones(owner, 30, 31);
      cluster.pass(100);
      expect([...storedBindings(follower.store)]).toEqual([...storedBindings(owner.store)]);
      follower.claim();
      phones(follower, 31, 35);
      follower.store.close();
    },
  );
});
