// Storm control: who is put off, for how long, and what that comes to for a whole town of phones.

import { describe, expect, it } from 'vitest';
import { Overload } from '../../../src/core/abuse/overload.ts';
import { DEFAULT_POLICY } from '../../../src/core/uas/policy.ts';
import { TRANSPORT_TCP } from '../../../src/sip/sources.ts';
import { register, VirtualShard } from '../../support/virtual-shard.ts';

const POLICY = { ...DEFAULT_POLICY, overloadTargetMs: 250, retryAfterMaxS: 300 };
const START = Date.UTC(2026, 0, 1);

/** A shard that has more than it can do, `perBatch` registrations every 50 ms, and half its buffers full. */
function press(overload: Overload, from: number, seconds: number, perBatch: number): number {
  let now = from;
  for (; now < from + seconds * 1000; now += 50) overload.batch(now, 200, 0.5, 50, perBatch);
  return now;
}

/** How many of so many phones that are put off are told each second to come back. */
function put(overload: Overload, now: number, phones: number): number[] {
  const perSecond = new Map<number, number>();
  for (let phone = 0; phone < phones; phone++) {
    const seconds = overload.bookS(now, Math.imul(phone, 0x9e3779b1));
    perSecond.set(seconds, (perSecond.get(seconds) ?? 0) + 1);
  }
  return [...perSecond.values()];
}

/** How many of a hundred new registrations are let in. */
function letIn(overload: Overload): number {
  return Array.from({ length: 100 }, () => overload.acceptsNew()).filter((admitted) => admitted).length;
}

describe('overload', () => {
  it('lets all in while little waits, fewer the more waits, and never none', () => {
    const overload = new Overload(POLICY);
    const now = press(overload, START, 1, 10);
    const share = [0, 5, 20, 30, 50, 80, 100, 5000].map((waitMs) => {
      overload.batch(now, waitMs, waitMs / 1000, 20, 10);
      return letIn(overload);
    });
    expect(share.slice(0, 3)).toEqual([100, 100, 100]);
    expect(share).toEqual([...share].sort((a, b) => b - a));
    expect(share[5]).toBeLessThan(80);
    expect(share.slice(-2)).toEqual([20, 20]);
    overload.batch(now + 50, 0, 0, 20, 10);
    expect(letIn(overload)).toBe(100);
  });

  it('lets a burst be a burst, whatever waits: only a backlog that stays is a storm', () => {
    const overload = new Overload(POLICY);
    for (let now = START; now <= START + 100; now += 50) {
      overload.batch(now, 200, 0.5, 1, 10);
      expect(letIn(overload)).toBe(100);
    }
    overload.batch(START + 150, 200, 0.5, 1, 10);
    expect(letIn(overload)).toBeLessThan(40);
  });

  it('what waits after a slow commit is worked off, and a storm only where it does not become less', () => {
    const overload = new Overload(POLICY);
    for (let now = START, waitMs = 160; waitMs > 0; now += 10, waitMs -= 8) {
      overload.batch(now, waitMs, waitMs / 160, 10, 100);
      expect(letIn(overload)).toBe(100);
    }
    overload.batch(START + 500, 0, 0, 1, 10);
    for (let now = START + 1000; now <= START + 1150; now += 10) overload.batch(now, 160, 1, 10, 100);
    expect(letIn(overload)).toBe(20);
  });

  it('a full batch after a long sleep is no backlog', () => {
    const overload = new Overload(POLICY);
    overload.batch(START, 0, 0, 1, 0);
    overload.batch(START + 3_600_000, 10, 0.5, 20, 256);
    expect(letIn(overload)).toBe(100);
  });

  it('gives out times to come back more slowly than the shard was measured to work, and none in the storm itself', () => {
    const overload = new Overload(POLICY);
    const now = press(overload, START, 10, 100); // 2,000 per second
    const perSecond = new Map<number, number>();
    for (let phone = 0; phone < 100_000; phone++) {
      const seconds = overload.bookS(now, Math.imul(phone, 0x9e3779b1));
      perSecond.set(seconds, (perSecond.get(seconds) ?? 0) + 1);
    }
    const counts = [...perSecond.values()];
    expect(Math.max(...counts)).toBeLessThanOrEqual(2000);
    expect(Math.max(...counts)).toBeGreaterThanOrEqual(1300);
    expect(Math.min(...perSecond.keys())).toBe(11);
    expect(Math.max(...perSecond.keys())).toBeLessThanOrEqual(11 + Math.ceil(100_000 / 1300));
    // Who is put off again while all this is worked off comes soon behind the others, if at all.
    const worked = now + 1000 * Math.max(...perSecond.keys());
    expect(overload.bookS(worked, 0)).toBe(2);
    // Nothing is booked in the past; and a storm after that is a new one.
    expect(overload.bookS(now + 3_600_000, 0)).toBe(11);
  });

  it.each([
    ['others were put off before', (overload: Overload) => void put(overload, START, 10_000)],
    ['a batch left nothing waiting', (overload: Overload) => overload.batch(START, 0, 0, 1, 10_000)],
  ])('measures the registrations of full batches alone: %s', (_, before) => {
    const overload = new Overload({ ...POLICY, retryAfterMaxS: 1000 });
    before(overload);
    const now = press(overload, START + 3_600_000, 10, 100); // 2,000 per second
    const perSecond = put(overload, now, 100_000);
    expect(Math.max(...perSecond)).toBeLessThanOrEqual(2000);
    expect(Math.max(...perSecond)).toBeGreaterThanOrEqual(1300);
  });

  it('beyond the longest time they are spread over its second half', () => {
    const overload = new Overload({ ...POLICY, retryAfterMaxS: 30 });
    const now = press(overload, START, 10, 1); // never enough to measure: 1000 per second
    const late = new Set<number>();
    for (let phone = 0; phone < 40_000; phone++) {
      const seconds = overload.bookS(now, Math.imul(phone, 0x9e3779b1));
      expect(seconds).toBeGreaterThanOrEqual(11);
      expect(seconds).toBeLessThanOrEqual(30);
      if (phone > 30_000) late.add(seconds);
    }
    expect([...late].sort((a, b) => a - b)).toEqual(Array.from({ length: 15 }, (_, i) => 16 + i));
  });

  it('target 0: never', () => {
    const overload = new Overload({ ...POLICY, overloadTargetMs: 0 });
    press(overload, START, 10, 1);
    expect(letIn(overload)).toBe(100);
  });
});

describe('a shard under a storm', () => {
  const contact = (user: string) => ({
    to: `<sip:${user}@example.com>`,
    callId: user,
    contacts: [`<sip:${user}@192.0.2.9>`],
  });

  it('puts new registrations off with 503 and Retry-After, serves everything else, and takes them once it has caught up', () => {
    const backlog = { fill: 0.9, wait: 500, waitMs: () => backlog.wait };
    const shard = new VirtualShard({ backlog, batchMs: 20 });
    expect(shard.send(register(contact('alice')))?.status).toBe(200);
    for (let i = 0; i < 10; i++) {
      shard.now += 100;
      shard.batch([]);
    }
    const crowd = Array.from({ length: 10 }, (_, i) => shard.send(register(contact(`phone${i}`))));
    const refused = crowd.filter((answer) => answer?.status === 503);
    expect(refused.map((answer) => Number(answer?.header('Retry-After')[0]))).toEqual(Array(8).fill(11));
    expect(shard.counter('put_off_new')).toBe(8);
    expect(shard.send(register({ ...contact('alice'), cseq: 2 }))?.status).toBe(200);
    expect(shard.send(register({ ...contact('alice'), cseq: 3, contacts: ['<sip:second@192.0.2.9>'] }))?.status).toBe(
      200,
    );
    expect(shard.send(register({ to: '<sip:bob@example.com>' }))?.status).toBe(200);
    expect(shard.send(register({ ...contact('alice'), cseq: 4, contacts: ['*'], expires: 0 }))?.status).toBe(200);

    Object.assign(backlog, { fill: 0, wait: 0 });
    shard.batch([]);
    for (let i = 0; i < 10; i++) expect(shard.send(register({ ...contact(`phone${i}`), cseq: 2 }))?.status).toBe(200);
  });
});

describe('a shard whose neighbours have no room', () => {
  it('R3261-21.5.4-01 puts off what came over a connection, and leaves a datagram to be repeated', () => {
    const shard = new VirtualShard({ shards: 2, neighboursAreFull: true });
    const phones = Array.from({ length: 20 }, (_, i) => `phone${i}`);
    const message = (user: string) =>
      register({ to: `<sip:${user}@example.com>`, from: `<sip:${user}@example.com>;tag=1` });
    const silent = phones.filter((user) => shard.send(message(user)) === undefined);
    expect(silent.length, 'those of the other shard').toBeGreaterThan(2);
    expect(shard.counter('dropped_ring_full')).toBe(silent.length);
    for (const user of silent) {
      const answer = shard.send(message(user), { transport: TRANSPORT_TCP, flow: 7 });
      expect(answer?.status).toBe(503);
      expect([1, 2, 3, 4, 5, 6, 7, 8]).toContain(Number(answer?.header('Retry-After')[0]));
    }
    expect(shard.counter('put_off_ring_full')).toBe(silent.length);
  });
});
