// Who is there, and who is to claim a shard, as beats tell.

import { describe, expect, it } from 'vitest';
import { type Beat, decodeBeat, encodeBeat } from '../../src/cluster/beat.ts';
import { Membership, weight } from '../../src/cluster/membership.ts';
import { ROLE_BROKEN, ROLE_COPYING, ROLE_FOLLOWING, ROLE_OWNING } from '../../src/cluster/roles.ts';

const T = Date.UTC(2026, 0, 1);
const SHARDS = 3;

function beat(node: number, number: number, now: number, more: Partial<Beat> = {}, role = ROLE_FOLLOWING): Beat {
  return {
    ...{ node, name: `n${node}`, life: 1, number, level: 1, clock: now, policy: 7, draining: false, firstFlow: 9 },
    shards: Array.from({ length: SHARDS }, () => ({ role, epoch: 4, applied: 100 })),
    ...more,
  };
}

/** Nodes 1 to 3 as node 1 sees them; node 2 owns all shards. */
function cluster(): {
  members: Membership;
  hear: (nodes: readonly number[], now: number, more?: Partial<Beat>) => void;
} {
  const members = new Membership({ node: 1, shards: SHARDS });
  let number = 0;
  const hear = (nodes: readonly number[], now: number, more: Partial<Beat> = {}) => {
    number++;
    for (const node of nodes)
      members.heard(beat(node, number, now, more, node === 2 ? ROLE_OWNING : ROLE_FOLLOWING), now);
  };
  hear([1, 2, 3], T);
  return { members, hear };
}

const order = (shard: number, nodes: readonly number[]) =>
  [...nodes].sort((a, b) => weight(shard, b) - weight(shard, a));
const mine = [0, 1, 2].find((shard) => order(shard, [1, 3])[0] === 1) ?? -1;
const others = [0, 1, 2].find((shard) => order(shard, [1, 3])[0] === 3) ?? -1;

describe('membership', () => {
  it('nobody claims a shard whose owner beats', () => {
    const { members, hear } = cluster();
    for (let t = 0; t < 10_000; t += 250) {
      hear([1, 2, 3], T + t);
      for (let shard = 0; shard < SHARDS; shard++) expect(members.mayClaim(shard, 2, 1, 4, T + t)).toBe(false);
    }
  });

  it('the next in line claims after 1.5 s of silence, the one behind it half a second later', () => {
    const { members, hear } = cluster();
    expect([mine >= 0, others >= 0]).toEqual([true, true]);
    const since: number[] = [];
    for (let t = 0; t <= 4000; t += 50) {
      if (t % 250 === 0) hear([1, 3], T + t);
      for (const shard of [mine, others])
        if (since[shard] === undefined && members.mayClaim(shard, 2, 1, 4, T + t)) since[shard] = t;
    }
    expect([since[mine], since[others]]).toEqual([1500, 2000]);
  });

  it('a connection that was reset makes a silence of 0.3 s enough', () => {
    const { members, hear } = cluster();
    members.cut(2, T + 100);
    hear([1, 3], T + 250);
    expect(members.mayClaim(mine, 2, 1, 4, T + 350)).toBe(false);
    expect(members.mayClaim(mine, 2, 1, 4, T + 400)).toBe(true);
  });

  it('an owner that started again has lost its shards at once, one that merely does not say so after a while', () => {
    const { members } = cluster();
    members.heard(beat(2, 1, T + 10, { life: 2 }, ROLE_BROKEN), T + 10);
    expect(members.mayClaim(mine, 2, 1, 4, T + 20)).toBe(true);
    const { members: patient, hear: hearPatient } = cluster();
    for (let t = 0; t <= 1500; t += 250) {
      hearPatient([1, 3], T + t);
      patient.heard(beat(2, 100 + t, T + t, {}, ROLE_BROKEN), T + t);
      expect(patient.mayClaim(mine, 2, 1, 4, T + t)).toBe(t >= 1500);
    }
  });

  it('F6 a node that was stopped itself takes nobody for silent before it has listened again', () => {
    const { members, hear } = cluster();
    expect(members.mayClaim(mine, 2, 1, 4, T)).toBe(false);
    for (let t = 10_000; t <= 11_450; t += 50) {
      if (t % 250 === 0) hear([1], T + t); // itself, that it hears at once
      expect(members.mayClaim(mine, 2, 1, 4, T + t)).toBe(false);
    }
    hear([1, 3], T + 11_450);
    expect(members.mayClaim(mine, 2, 1, 4, T + 11_500)).toBe(true);
  });

  it('late beats and beats of an earlier life count for nothing', () => {
    const { members } = cluster();
    members.heard(beat(2, 50, T + 100, {}, ROLE_OWNING), T + 100);
    members.heard(beat(2, 49, T + 3000, {}, ROLE_OWNING), T + 3000);
    expect(members.isAlive(2, T + 3000)).toBe(false);
    members.heard(beat(2, 1, T + 3000, { life: 2 }), T + 3000);
    members.heard(beat(2, 99, T + 9000, { life: 1 }), T + 9000);
    expect(members.isAlive(2, T + 9000)).toBe(false);
  });

  it('a node that drains, is broken or has nothing in its log is passed over', () => {
    for (const more of [
      { draining: true },
      { shards: Array.from({ length: SHARDS }, () => ({ role: ROLE_BROKEN, epoch: 4, applied: 100 })) },
      { shards: Array.from({ length: SHARDS }, () => ({ role: ROLE_FOLLOWING, epoch: 0, applied: -1 })) },
    ]) {
      const { members, hear } = cluster();
      for (let t = 250; t <= 1500; t += 250) {
        hear([1], T + t);
        members.heard(beat(3, 1000 + t, T + t, more), T + t);
      }
      expect(members.mayClaim(others, 2, 1, 4, T + 1500)).toBe(true);
      expect(members.heir(others, T + 1500)).toBe('shards' in more && more.shards[0].applied < 0 ? 3 : 0);
    }
  });

  it('a clock that is more than 5 s ahead of the others makes a node unfit', () => {
    const { members, hear } = cluster();
    hear([2, 3], T + 5000, { clock: T });
    expect([members.skewMs, members.isFit()]).toEqual([5000, true]);
    hear([2, 3], T + 6000, { clock: T });
    expect([members.isFit(), members.mayClaim(mine, 0, 0, 0, T + 9000)]).toEqual([false, false]);
  });

  it('F15 a node whose clock is ahead is passed over by the others, and is nobody’s home', () => {
    const { members, hear } = cluster();
    for (let t = 250; t <= 1500; t += 250) {
      hear([1], T + t);
      members.heard(beat(3, 1000 + t, T + t, { clock: T + t + 3_600_000 }), T + t);
      members.heard(beat(4, 1000 + t, T + t), T + t);
    }
    const heirs = [0, 1, 2].map((shard) => members.heir(shard, T + 1500));
    const homes = [0, 1, 2].map((shard) => members.home(shard, T + 1500));
    expect([heirs.includes(3), homes.includes(3), heirs.includes(4)]).toEqual([false, false, true]);
  });

  it('the time of the machine may be set back: who is silent is silent', () => {
    const { members, hear } = cluster();
    for (let t = 250; t <= 1500; t += 250)
      for (const node of [1, 3]) members.heard(beat(node, 5000 + t, T + t - 3_600_000), T + t, T + t - 3_600_000);
    expect([members.isAlive(2, T + 1500), members.skewMs, members.mayClaim(mine, 2, 1, 4, T + 1500)]).toEqual([
      ...[false, 0, true],
    ]);
    hear([2], T + 1600);
    expect(members.isAlive(2, T + 1600)).toBe(true);
  });

  it('a shard has its home at a node that can own it', () => {
    for (const role of [ROLE_COPYING, ROLE_BROKEN]) {
      const { members } = cluster();
      const shards = Array.from({ length: SHARDS }, () => ({ role, epoch: 4, applied: 90 }));
      members.heard(beat(3, 50, T + 10, { shards }), T + 10);
      for (let shard = 0; shard < SHARDS; shard++) {
        expect(members.home(shard, T + 10)).toBe(order(shard, [1, 2])[0]);
        expect([1, 2, 3].map((node) => members.isReady(node, shard, T + 10))).toEqual([true, false, false]);
      }
    }
  });

  it('tells who says that it owns a shard, by the newest claim', () => {
    const { members, hear } = cluster();
    expect(members.ownerHeard(0, T)).toBe(2);
    const shards = Array.from({ length: SHARDS }, () => ({ role: ROLE_OWNING, epoch: 5, applied: 101 }));
    members.heard(beat(3, 50, T + 10, { shards }), T + 10);
    expect(members.ownerHeard(0, T + 10)).toBe(3);
    hear([1, 2], T + 2000);
    expect(members.ownerHeard(0, T + 2000)).toBe(0); // the newer one is gone
  });

  it('tells the newest message that any node has had', () => {
    const { members, hear } = cluster();
    expect(members.sequenceHeard(0)).toBe(100);
    members.heard(beat(3, 50, T + 10, { shards: [{ role: ROLE_BROKEN, epoch: 4, applied: 120 }] }), T + 10);
    hear([1], T + 5000);
    expect([members.sequenceHeard(0), members.sequenceHeard(1)]).toEqual([120, 100]);
  });

  it('a shard goes home to one of the nodes there are, and leaves the others where they were', () => {
    const { members } = cluster();
    for (let shard = 0; shard < SHARDS; shard++) expect(members.home(shard, T)).toBe(order(shard, [1, 2, 3])[0]);
    for (let shard = 0; shard < 100; shard++) {
      const before = order(shard, [1, 2, 3, 4]);
      expect(order(shard, [1, 2, 4])).toEqual(before.filter((node) => node !== 3));
    }
  });
});

describe('a beat', () => {
  it('survives the way, and nothing else passes for one', () => {
    const sent = beat(254, 70_000, T + 0.5, { name: 'knoten-ä', draining: true, life: 4_000_000_000 });
    const bytes = encodeBeat(sent);
    expect(decodeBeat(bytes)).toEqual(sent);
    const shifted = new Uint8Array(bytes.length + 3);
    shifted.set(bytes, 3);
    expect(decodeBeat(shifted.subarray(3))).toEqual(sent);
    for (let length = 0; length < bytes.length; length++) expect(decodeBeat(bytes.subarray(0, length))).toBeNull();
    expect(decodeBeat(Uint8Array.from([...bytes, 0]))).toBeNull();
    expect(decodeBeat(new Uint8Array(bytes.length))).toBeNull();
  });
});
