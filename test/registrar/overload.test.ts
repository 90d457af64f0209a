// Storm control: who is put off, for how long, and what that comes to for a whole town of phones.

import { describe, expect, it } from 'vitest';
import { Overload } from '../../src/registrar/overload.ts';
import { TRANSPORT_TCP } from '../../src/registrar/peers.ts';
import { DEFAULT_POLICY } from '../../src/registrar/policy.ts';
import { register, VirtualShard } from '../support/virtual-shard.ts';

const POLICY = { ...DEFAULT_POLICY, overloadTargetMs: 250, retryAfterMaxS: 300 };
const START = Date.UTC(2026, 0, 1);

/** A shard that has more than it can do, `perBatch` registrations every 50 ms. */
function press(overload: Overload, from: number, seconds: number, perBatch: number): number {
  let now = from;
  for (; now < from + seconds * 1000; now += 50) overload.batch(now, false, 20, 50, perBatch);
  return now;
}

describe('overload', () => {
  it('goes up when a backlog is older than the target, and down when it is gone', () => {
    const overload = new Overload(POLICY);
    for (let now = START; now <= START + 250; now += 50) {
      overload.batch(now, false, 20, 20, 10);
      expect(overload.on).toBe(false);
    }
    overload.batch(START + 300, false, 20, 20, 10);
    expect(overload.on).toBe(true);
    overload.batch(START + 350, true, 20, 20, 10);
    expect(overload.on).toBe(false);
  });

  it('one slow commit alone is no overload, one with more waiting behind it is', () => {
    const overload = new Overload(POLICY);
    overload.batch(START, true, 2000, 2000, 10);
    expect(overload.on).toBe(false);
    overload.batch(START + 2000, false, 2000, 2000, 10);
    expect(overload.on).toBe(true);
  });

  it('a full batch after a long sleep is no backlog', () => {
    const overload = new Overload(POLICY);
    overload.batch(START, true, 1, 1, 0);
    overload.batch(START + 3_600_000, false, 20, 20, 256);
    expect(overload.on).toBe(false);
  });

  it('gives out times to come back at most as fast as the shard was measured to work', () => {
    const overload = new Overload(POLICY);
    const now = press(overload, START, 10, 100); // 2,000 per second
    const perSecond = new Map<number, number>();
    for (let phone = 0; phone < 100_000; phone++) {
      const seconds = overload.bookS(now, Math.imul(phone, 0x9e3779b1));
      perSecond.set(seconds, (perSecond.get(seconds) ?? 0) + 1);
    }
    const counts = [...perSecond.values()];
    expect(Math.max(...counts)).toBeLessThanOrEqual(2000);
    expect(Math.max(...counts)).toBeGreaterThanOrEqual(1500);
    expect(Math.max(...perSecond.keys())).toBeLessThanOrEqual(Math.ceil(100_000 / 1500));
    // Nothing is booked in the past: an hour later everybody is free to come at once.
    expect(overload.bookS(now + 3_600_000, 0)).toBe(1);
  });

  it('beyond the longest time they are spread over its second half', () => {
    const overload = new Overload({ ...POLICY, retryAfterMaxS: 10 });
    const now = press(overload, START, 10, 1); // never enough to measure: 1000 per second
    const late = new Set<number>();
    for (let phone = 0; phone < 20_000; phone++) {
      const seconds = overload.bookS(now, Math.imul(phone, 0x9e3779b1));
      expect(seconds).toBeGreaterThanOrEqual(1);
      expect(seconds).toBeLessThanOrEqual(10);
      if (phone > 10_000) late.add(seconds);
    }
    expect([...late].sort((a, b) => a - b)).toEqual([6, 7, 8, 9, 10]);
  });

  it('target 0: never', () => {
    const overload = new Overload({ ...POLICY, overloadTargetMs: 0 });
    press(overload, START, 10, 1);
    expect(overload.on).toBe(false);
  });
});

describe('a shard under a storm', () => {
  const contact = (user: string) => ({
    to: `<sip:${user}@example.com>`,
    callId: user,
    contacts: [`<sip:${user}@192.0.2.9>`],
  });

  it('puts new registrations off with 503 and Retry-After, serves everything else, and takes them once it has caught up', () => {
    const shard = new VirtualShard();
    expect(shard.send(register(contact('alice')))?.status).toBe(200);
    for (let i = 0; i < 10; i++) {
      shard.shard.observe(shard.now, false, 20, 20);
      shard.now += 100;
    }
    const refused = shard.send(register(contact('bob')));
    expect(refused?.status).toBe(503);
    expect(Number(refused?.header('Retry-After')[0])).toBeGreaterThanOrEqual(1);
    expect(shard.counter('put_off_new')).toBe(1);
    expect(shard.send(register({ ...contact('alice'), cseq: 2 }))?.status).toBe(200);
    expect(shard.send(register({ ...contact('alice'), cseq: 3, contacts: ['<sip:second@192.0.2.9>'] }))?.status).toBe(
      200,
    );
    expect(shard.send(register({ to: '<sip:bob@example.com>' }))?.status).toBe(200);
    expect(shard.send(register({ ...contact('alice'), cseq: 4, contacts: ['*'], expires: 0 }))?.status).toBe(200);

    shard.shard.observe(shard.now, true, 1, 1);
    expect(shard.send(register({ ...contact('bob'), cseq: 2 }))?.status).toBe(200);
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
      expect(Number(answer?.header('Retry-After')[0])).toBeGreaterThanOrEqual(1);
    }
    expect(shard.counter('put_off_ring_full')).toBe(silent.length);
  });
});
