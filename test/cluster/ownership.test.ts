// A shard's role on one node: what it does upon what the stream says, without a stream.

import { describe, expect, it } from 'vitest';
import { Ownership, type OwnershipEffects, type Surroundings } from '../../src/cluster/ownership.ts';
import {
  ROLE_BROKEN,
  ROLE_CLAIMING,
  ROLE_COPYING,
  ROLE_FOLLOWING,
  ROLE_LEAVING,
  ROLE_OWNING,
} from '../../src/cluster/roles.ts';
import { FRAME_BATCH, FRAME_CLAIM, FRAME_HANDOVER, FRAME_PROOF } from '../../src/cluster/stream-frame.ts';
import type { Applied } from '../../src/location/log/control-entry.ts';

const T = Date.UTC(2026, 0, 1);
const ALONE: Surroundings = { mayClaim: false, isFit: true, handTo: 0, epochHeard: 0, sequenceHeard: 0 };
const MAY_CLAIM: Surroundings = { ...ALONE, mayClaim: true };

function applied(sequence: number, epoch: number, node: number, life = 1): Applied {
  return { sequence, epoch, node, life, sum: sequence, time: T };
}

/** Node 1, with what it asked for, newest last. */
class Node implements OwnershipEffects {
  readonly done: string[] = [];
  takes = true;
  now = T;
  readonly ownership: Ownership;
  /** Of the last publication, question what stands somewhere, and question for bounds. */
  published = { id: 0, sequence: 0, kind: 0 };
  asked = 0;
  bounded = 0;

  constructor(from = applied(10, 3, 2)) {
    this.ownership = new Ownership(1, from, this);
  }

  publish(id: number, kind: number, sequence: number): void {
    this.published = { id, kind, sequence };
    this.done.push(`publish ${kind} at ${sequence}`);
  }

  read(id: number, sequence: number): void {
    this.asked = id;
    this.done.push(`read ${sequence}`);
  }

  bounds(id: number): void {
    this.bounded = id;
  }

  follow(from: number): void {
    this.done.push(`follow ${from}`);
  }

  unfollow(): void {}

  changeServer(): void {
    this.done.push('move on');
  }

  takeInMine(sequence: number): boolean {
    if (!this.takes) return false;
    const { ownership, published } = this;
    const epoch = ownership.applied.epoch + (published.kind === FRAME_CLAIM ? 1 : 0);
    ownership.tookIn(applied(sequence, epoch, 1), published.kind as typeof FRAME_CLAIM, 2, true);
    return true;
  }

  lost(kind: number): void {
    this.done.push(`lost ${kind}`);
  }

  tookOver(): void {
    this.done.push('took over');
  }

  gaveUp(): void {
    this.done.push('gave up');
  }

  tell(): void {}

  tick(around = ALONE, ms = 0): void {
    this.now += ms;
    this.ownership.tick(this.now, around);
  }

  answerBounds(first: number, last: number): void {
    this.ownership.bounds(this.bounded, first, last, this.now);
  }

  /** What was done since the last time. */
  take(): string[] {
    return this.done.splice(0);
  }
}

function follower(): Node {
  const node = new Node();
  node.tick();
  node.answerBounds(1, 10);
  expect(node.take()).toEqual(['follow 11']);
  return node;
}

function owner(): Node {
  const node = follower();
  node.tick(MAY_CLAIM);
  node.answerBounds(1, 10);
  node.tick(MAY_CLAIM);
  node.ownership.acknowledged(node.published.id, 11, node.now);
  expect(node.take()).toEqual([`publish ${FRAME_CLAIM} at 11`, 'took over']);
  expect([node.ownership.role, node.ownership.decides]).toEqual([ROLE_OWNING, true]);
  return node;
}

describe('a follower', () => {
  it('follows from behind what it has, once the stream says that it has that', () => {
    const node = follower();
    expect(node.ownership.expects(11)).toBe('next');
    expect(node.ownership.expects(10)).toBe('known');
    expect(node.ownership.expects(12)).toBe('gap');
    expect(node.ownership.decides).toBe(false);
  });

  it('needs a copy where the stream begins behind what it has', () => {
    const node = new Node();
    node.tick();
    node.answerBounds(12, 40);
    expect([node.ownership.role, node.take()]).toEqual([ROLE_COPYING, []]);
    node.tick(MAY_CLAIM, 5000);
    expect(node.take()).toEqual([]);
  });

  it('asks another server where one does not answer', () => {
    const node = new Node();
    node.tick();
    node.tick(ALONE, 499);
    expect(node.take()).toEqual([]);
    node.tick(ALONE, 1);
    expect(node.take()).toEqual(['move on']);
    node.answerBounds(1, 10);
    expect(node.take()).toEqual(['follow 11']);
  });

  it('F8 asks another server where one can tell nothing for a second', () => {
    const node = new Node();
    node.tick();
    for (let i = 0; i < 4; i++) {
      expect(node.take()).toEqual([]);
      node.ownership.failed(node.bounded, node.now);
      node.tick(ALONE, 250);
    }
    expect(node.take()).toEqual(['move on']);
    node.answerBounds(1, 10);
    expect(node.take()).toEqual(['follow 11']);
  });

  it('follows anew where messages are missing, or do not come', () => {
    const node = follower();
    node.ownership.gap();
    node.tick();
    node.answerBounds(1, 20);
    expect(node.take()).toEqual(['follow 11']);
    node.tick(ALONE, 2000);
    node.answerBounds(1, 20);
    expect(node.take()).toEqual(['follow 11']);
  });

  it('stops, claims nothing and tells of it, where the stream has lost what it had; and goes on once it has it again', () => {
    const node = follower();
    node.tick(ALONE, 2000);
    for (let i = 0; i < 5; i++) {
      node.answerBounds(1, 9);
      node.tick(MAY_CLAIM, 500);
    }
    expect([node.ownership.role, node.take()]).toEqual([ROLE_BROKEN, []]);
    node.tick(MAY_CLAIM, 5000);
    node.answerBounds(1, 10);
    node.tick();
    node.answerBounds(1, 10);
    expect([node.ownership.role, node.take()]).toEqual([ROLE_FOLLOWING, ['follow 11']]);
  });

  it('F17 is broken where a frame breaks the chain, and looks again whether the stream is another', () => {
    const node = follower();
    node.ownership.broke('test', node.now);
    node.tick(MAY_CLAIM, 4999);
    expect([node.ownership.role, node.ownership.trouble, node.take()]).toEqual([ROLE_BROKEN, 'test', []]);
    node.tick(ALONE, 1);
    node.tick();
    node.answerBounds(11, 10);
    expect([node.ownership.role, node.take()]).toEqual([ROLE_FOLLOWING, ['follow 11']]);
  });
});

describe('a claim', () => {
  it('follows upon all that the stream has, and no clock of its own may be wrong', () => {
    const node = follower();
    node.tick({ ...MAY_CLAIM, isFit: false });
    expect(node.ownership.role).toBe(ROLE_FOLLOWING);
    node.tick(MAY_CLAIM);
    node.answerBounds(1, 12);
    node.tick(MAY_CLAIM);
    expect([node.ownership.role, node.take()]).toEqual([ROLE_CLAIMING, []]);
    node.ownership.tookIn(applied(11, 3, 2), FRAME_BATCH, 0, false);
    node.ownership.tookIn(applied(12, 3, 2), FRAME_BATCH, 0, false);
    node.tick(MAY_CLAIM);
    expect(node.take()).toEqual([`publish ${FRAME_CLAIM} at 13`]);
  });

  it('is given up where the owner writes on, or another has claimed', () => {
    const node = follower();
    node.tick(MAY_CLAIM);
    node.answerBounds(1, 10);
    node.ownership.tookIn(applied(11, 3, 2), FRAME_BATCH, 0, false);
    expect([node.ownership.role, node.take()]).toEqual([ROLE_FOLLOWING, []]);
    node.tick(MAY_CLAIM);
    node.answerBounds(1, 11);
    node.tick(MAY_CLAIM);
    node.ownership.tookIn(applied(12, 4, 3), FRAME_CLAIM, 0, false);
    expect([node.ownership.role, node.take()]).toEqual([
      ROLE_FOLLOWING,
      [`publish ${FRAME_CLAIM} at 12`, `lost ${FRAME_CLAIM}`],
    ]);
  });

  it('holds though its acknowledgement was lost', () => {
    const node = follower();
    node.tick(MAY_CLAIM);
    node.answerBounds(1, 10);
    node.tick(MAY_CLAIM);
    node.tick(MAY_CLAIM, 500);
    node.ownership.refused(node.published.id, 11, node.now);
    node.ownership.found(node.asked, 'mine', node.now);
    expect(node.take().at(-1)).toBe('took over');
    expect(node.ownership.applied.epoch).toBe(4);
  });

  it('F16 is not made where the stream ends before what another node has: that was acknowledged', () => {
    const node = follower();
    const around = { ...MAY_CLAIM, sequenceHeard: 12 };
    node.tick(around);
    for (let i = 0; i < 3; i++) {
      node.answerBounds(1, 10);
      node.tick(around, 500);
    }
    expect([node.ownership.role, node.take()]).toEqual([ROLE_CLAIMING, []]);
    for (let i = 0; i < 3; i++) {
      node.answerBounds(1, 10);
      node.tick(around, 500);
    }
    expect([node.ownership.role, node.take()]).toEqual([ROLE_BROKEN, []]);
  });

  it('waits for a leader that is merely late', () => {
    const node = follower();
    const around = { ...MAY_CLAIM, sequenceHeard: 11 };
    node.tick(around);
    node.answerBounds(1, 10);
    node.tick(around, 500);
    node.answerBounds(1, 11);
    node.ownership.tookIn(applied(11, 3, 2), FRAME_BATCH, 0, false);
    node.tick(around);
    expect(node.take()).toEqual([`publish ${FRAME_CLAIM} at 12`]);
  });

  it('is made by the node that a handover names', () => {
    const node = follower();
    node.ownership.tookIn(applied(11, 3, 2), FRAME_HANDOVER, 1, false);
    node.tick();
    node.answerBounds(1, 11);
    node.tick();
    expect(node.take()).toEqual([`publish ${FRAME_CLAIM} at 12`]);
  });
});

describe('an owner', () => {
  it('F11 publishes again until it knows, at another server, and never takes a time-out for a no', () => {
    const node = owner();
    node.ownership.publish(FRAME_BATCH, node.now);
    for (let i = 0; i < 20; i++) node.tick(ALONE, 500);
    expect(node.ownership.decides).toBe(false);
    expect(node.take().filter((what) => what.startsWith('publish'))).toEqual(
      Array(21).fill(`publish ${FRAME_BATCH} at 12`),
    );
    expect(node.ownership.stalledSince).toBe(node.now - 10_000);
    node.ownership.refused(node.published.id, 12, node.now);
    expect(node.take()).toEqual(['read 12']);
    node.ownership.found(node.asked, 'mine', node.now);
    expect([node.ownership.applied.sequence, node.ownership.decides, node.take()]).toEqual([12, true, []]);
  });

  it('F8 publishes at another server where one can tell nothing for a second', () => {
    const node = owner();
    node.ownership.publish(FRAME_BATCH, node.now);
    for (let i = 0; i < 11; i++) {
      node.ownership.failed(node.published.id, node.now);
      node.tick(ALONE, 100);
    }
    const published = `publish ${FRAME_BATCH} at 12`;
    expect(node.take()).toEqual([...Array(11).fill(published), 'move on', published]);
    node.ownership.acknowledged(node.published.id, 12, node.now);
    expect(node.ownership.decides).toBe(true);
  });

  it('F6 is none any more where another has written: its batch is lost, and it follows', () => {
    const node = owner();
    node.ownership.publish(FRAME_BATCH, node.now);
    node.ownership.refused(node.published.id, 13, node.now);
    node.ownership.found(node.asked, 'another', node.now);
    expect(node.take()).toEqual([`publish ${FRAME_BATCH} at 12`, 'read 12', `lost ${FRAME_BATCH}`, 'gave up']);
    node.tick();
    node.answerBounds(1, 13);
    expect([node.ownership.role, node.take()]).toEqual([ROLE_FOLLOWING, ['follow 12']]);
  });

  it('writes behind a stranger', () => {
    const node = owner();
    node.ownership.publish(FRAME_BATCH, node.now);
    node.ownership.refused(node.published.id, 12, node.now);
    node.ownership.found(node.asked, 'stranger', node.now);
    expect(node.take().at(-1)).toBe(`publish ${FRAME_BATCH} at 13`);
    node.ownership.acknowledged(node.published.id, 13, node.now);
    expect([node.ownership.applied.sequence, node.ownership.decides]).toEqual([13, true]);
  });

  it('asks again where what refused it is not there, and where the leader is not yet current', () => {
    const node = owner();
    node.ownership.publish(FRAME_BATCH, node.now);
    node.ownership.refused(node.published.id, 12, node.now);
    node.ownership.missing(node.asked, node.now);
    node.tick(ALONE, 100);
    expect(node.take().at(-1)).toBe(`publish ${FRAME_BATCH} at 12`);
    node.ownership.refused(node.published.id, 9, node.now);
    node.tick(ALONE, 100);
    expect(node.take().at(-1)).toBe(`publish ${FRAME_BATCH} at 12`);
    node.ownership.acknowledged(node.published.id, 12, node.now);
    expect(node.ownership.decides).toBe(true);
  });

  it('F16 stops where the stream has lost what it had acknowledged', () => {
    const node = owner();
    node.ownership.publish(FRAME_BATCH, node.now);
    for (let i = 0; i < 21; i++) {
      node.ownership.refused(node.published.id, 5, node.now);
      node.tick(ALONE, 100);
    }
    expect(node.ownership.role).toBe(ROLE_BROKEN);
    expect(node.take().slice(-2)).toEqual([`lost ${FRAME_BATCH}`, 'gave up']);
  });

  it('is broken where an acknowledgement names another sequence', () => {
    const node = owner();
    node.ownership.publish(FRAME_BATCH, node.now);
    node.ownership.acknowledged(node.published.id, 99, node.now);
    expect(node.ownership.role).toBe(ROLE_BROKEN);
  });

  it('proves that it is one where it hears of a newer claim, and is believed for 2 s', () => {
    const node = owner();
    node.tick({ ...ALONE, epochHeard: 9 }, 2000);
    expect([node.ownership.isFresh(node.now), node.take()]).toEqual([true, []]);
    node.tick({ ...ALONE, epochHeard: 9 }, 1);
    expect([node.ownership.isFresh(node.now), node.take()]).toEqual([false, [`publish ${FRAME_PROOF} at 12`]]);
  });

  it('F6 believes an acknowledgement for 2 s from when it published: it may have stood still before it heard', () => {
    const node = owner();
    node.ownership.publish(FRAME_BATCH, node.now);
    node.now += 5000;
    node.ownership.acknowledged(node.published.id, 12, node.now);
    expect([node.ownership.decides, node.ownership.isFresh(node.now)]).toEqual([true, false]);
  });

  it('hands over, and follows', () => {
    const node = owner();
    node.tick({ ...ALONE, handTo: 2 });
    expect([node.ownership.role, node.take()]).toEqual([ROLE_LEAVING, [`publish ${FRAME_HANDOVER} at 12`]]);
    node.ownership.acknowledged(node.published.id, 12, node.now);
    expect([node.ownership.role, node.take()]).toEqual([ROLE_FOLLOWING, ['gave up']]);
  });

  it('F14 gives the shard up where its log does not take for a second what the stream has', () => {
    const node = owner();
    node.ownership.publish(FRAME_BATCH, node.now);
    node.takes = false;
    node.ownership.acknowledged(node.published.id, 12, node.now);
    node.tick(ALONE, 900);
    expect([node.ownership.role, node.ownership.decides]).toEqual([ROLE_OWNING, false]);
    node.tick(ALONE, 100);
    expect([node.ownership.role, node.take().slice(-2)]).toEqual([ROLE_BROKEN, [`lost ${FRAME_BATCH}`, 'gave up']]);
    node.takes = true;
    node.tick(ALONE, 5000);
    expect(node.ownership.role).toBe(ROLE_FOLLOWING);
  });

  it('goes on where its log takes it after all', () => {
    const node = owner();
    node.ownership.publish(FRAME_BATCH, node.now);
    node.takes = false;
    node.ownership.acknowledged(node.published.id, 12, node.now);
    node.takes = true;
    node.tick(ALONE, 100);
    expect([node.ownership.applied.sequence, node.ownership.decides]).toEqual([12, true]);
  });
});
