// Expiry by a clock that is not always right.

import { expect, it } from 'vitest';
import { createClockMemory, ProcessClock } from '../../src/shard/process-clock.ts';
import { FlakyStore } from '../support/flaky-store.ts';
import { LONG_BATCH, longContacts } from '../support/long-records.ts';
import { register, VirtualShard } from '../support/virtual-shard.ts';

const DAY_MS = 86_400_000;

it('a binding has no more left than it was granted when the clock is turned back', () => {
  const clock = { holds: false, setBacks: 0 };
  const shard = new VirtualShard({ clock });
  shard.send(register({ contacts: ['<sip:alice@192.0.2.1>;expires=100'] }));
  shard.advance(50);
  clock.setBacks++;
  shard.now -= DAY_MS;
  shard.advance(99);
  expect(shard.counter('bindings')).toBe(1);
  shard.advance(3);
  expect(shard.counter('bindings')).toBe(0);
});

it('nothing runs out while the time cannot be trusted', () => {
  const clock = { holds: true, setBacks: 0 };
  const shard = new VirtualShard({ clock });
  shard.send(register({ contacts: ['<sip:alice@192.0.2.1>;expires=100'] }));
  shard.now += DAY_MS;
  shard.batch([]);
  expect(shard.counter('bindings')).toBe(1);
  clock.holds = false;
  shard.batch([]);
  expect(shard.counter('bindings')).toBe(0);
});

it('what runs out leaves in batches that a store takes, however long the records are', () => {
  const store = new FlakyStore((writes) => writes !== undefined && writes.length > LONG_BATCH);
  const shard = new VirtualShard({ store });
  for (let i = 0; i < 48; i++) {
    const to = `<sip:u${i}@example.com>`;
    shard.send(register({ to, callId: `a${i}`, contacts: longContacts(`u${i}`) }));
    shard.send(register({ to, callId: `b${i}`, contacts: ['<sip:short@192.0.2.1>;expires=60'] }));
  }
  shard.advance(65);
  expect([store.failures, store.aors, shard.counter('bindings')]).toEqual([0, 48, 48 * 7]);
});

it('what runs out at once leaves a few at a time, with a pause for requests in between', () => {
  const shard = new VirtualShard();
  for (let i = 0; i < 200; i++) {
    const to = `<sip:u${i}@example.com>`;
    shard.send(register({ to, callId: `${i}`, contacts: ['<sip:u@192.0.2.1>;expires=60'] }));
  }
  shard.now += 61_000;
  shard.batch([]);
  const few = shard.counter('expired');
  expect(few).toBeGreaterThan(0);
  expect(few).toBeLessThan(100);
  for (let batch = 0; batch < 5; batch++) shard.batch([]);
  expect(shard.counter('expired')).toBe(few);
  const pauseMs = shard.shard.msToNextTick(shard.now);
  expect(pauseMs).toBeGreaterThan(0);
  shard.now += pauseMs;
  shard.batch([]);
  expect(shard.counter('expired')).toBe(2 * few);
});

it('the clock goes on from the time that it is turned back to, in every thread', () => {
  let passed = 5000;
  const clock = new ProcessClock(createClockMemory(), () => passed);
  const elsewhere = new ProcessClock(clock.memory, () => passed);
  clock.set(10 * DAY_MS);
  passed += 1000;
  clock.setBack(9 * DAY_MS);
  passed += 1000;
  expect([clock.now(), elsewhere.now(), elsewhere.setBacks]).toEqual([9 * DAY_MS + 1000, 9 * DAY_MS + 1000, 1]);
});

it('R3261-10.3-39 a phone whose binding has run out comes back beside another one', () => {
  const shard = new VirtualShard();
  const contacts = ['<sip:x@192.0.2.1>;expires=60'];
  shard.send(register({ callId: 'x', contacts }));
  shard.send(register({ callId: 'y', contacts: ['<sip:y@192.0.2.2>;expires=3600'] }));
  shard.send(register({ callId: 'x', cseq: 2, contacts })); // of all phones it was heard of last
  shard.advance(70);
  expect(shard.counter('bindings')).toBe(1);
  const back = shard.send(register({ callId: 'x', cseq: 3, contacts }));
  const listed = back?.text.match(/<sip:[xy]@[^>]*>;expires=\d+/g)?.sort();
  expect(listed).toEqual(['<sip:x@192.0.2.1>;expires=60', '<sip:y@192.0.2.2>;expires=3530']);
  expect(shard.counter('bindings')).toBe(2);
});
