// The expiry index against a Map, in virtual time.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ExpiryIndex } from '../../../src/core/timers/expiry-index.ts';

const start = 1_700_000_000_000;
const none = { expire: () => 0 };

describe('expiry index', () => {
  it('visits an AOR once its deadline has passed, and again at the deadline the visitor gives', () => {
    const index = new ExpiryIndex(16);
    const visits: number[] = [];
    let next = start + 60_000;
    const visitor = {
      expire(k0: number, k1: number, k2: number, k3: number): number {
        visits.push(k0, k1, k2, k3);
        return next;
      },
    };
    index.advance(start, 10, visitor);
    index.track(0xffffffff, 2, 0x80000000, 4, start + 30_000);
    index.track(-1, 2, 0x80000000 | 0, 4, start + 90_000);
    expect(index.count).toBe(1);
    index.advance(start + 30_000, 10, visitor);
    expect(visits).toEqual([0xffffffff, 2, 0x80000000, 4]);
    next = 0;
    index.advance(start + 60_000, 10, visitor);
    expect(visits.length).toBe(8);
    expect(index.count).toBe(0);
    expect(index.msToNextTick(start + 60_000)).toBe(-1);
  });

  it('moves an AOR earlier when a sooner deadline comes', () => {
    const index = new ExpiryIndex(16);
    index.advance(start, 10, none);
    index.track(1, 1, 1, 1, start + 7_200_000);
    index.track(1, 1, 1, 1, start + 5_000);
    expect(index.msToNextTick(start)).toBe(5000);
    index.advance(start + 5000, 10, none);
    expect(index.count).toBe(0);
  });

  it('keeps 200,000 AORs apart, and takes them in bounded calls', () => {
    const index = new ExpiryIndex(1 << 18);
    const count = 200_000;
    index.advance(start, 10, none);
    for (let i = 0; i < count; i++) index.track(i, 0, Math.imul(i, 0x9e3779b1), 0, start + 1000 + (i % 7) * 1000);
    expect(index.count).toBe(count);
    const seen = new Uint8Array(count);
    const visitor = {
      expire(k0: number): number {
        seen[k0]++;
        return 0;
      },
    };
    let before = count;
    for (let more = true; more; before = index.count) {
      more = index.advance(start + 7000, 1000, visitor);
      expect(before - index.count, 'in one call').toBeLessThanOrEqual(1000);
    }
    expect(seen.every((times) => times === 1)).toBe(true);
    expect(index.count).toBe(0);
  });

  it('agrees with a Map under any order of tracking, forgetting and passing time, with colliding keys', () => {
    const key = fc.tuple(fc.nat(3), fc.constantFrom(0, 1, 6, 7, 0xffffffff));
    const command = fc.oneof(
      {
        weight: 4,
        arbitrary: fc.record({ act: fc.constant('track' as const), key, ms: fc.integer({ min: 1, max: 90_000 }) }),
      },
      { weight: 1, arbitrary: fc.record({ act: fc.constant('untrack' as const), key, ms: fc.constant(0) }) },
      { weight: 2, arbitrary: fc.record({ act: fc.constant('pass' as const), key, ms: fc.nat(20_000) }) },
    );
    fc.assert(
      fc.property(fc.array(command, { maxLength: 120 }), fc.integer({ min: 1, max: 4 }), (commands, budget) => {
        const index = new ExpiryIndex(32);
        const model = new Map<string, number>();
        let now = start;
        const visitor = {
          expire(k0: number, k1: number, k2: number, k3: number): number {
            const name = [k0, k1, k2, k3].join();
            const deadline = model.get(name);
            expect(deadline).toBeLessThanOrEqual(now);
            if ((k0 & 1) === 0) {
              model.delete(name);
              return 0;
            }
            const next = now + 40_000;
            if (Math.floor(now / 1000) % 3 === 0) {
              model.delete(name);
              return 0;
            }
            model.set(name, next);
            return next;
          },
        };
        index.advance(now, budget, visitor);
        for (const { act, key, ms } of commands) {
          const [k0, k2] = key;
          const name = [k0, 5, k2, 9].join();
          if (act === 'track') {
            index.track(k0, 5, k2, 9, now + ms);
            model.set(name, Math.min(now + ms, model.get(name) ?? Number.POSITIVE_INFINITY));
          } else if (act === 'untrack') {
            expect(index.untrack(k0, 5, k2, 9)).toBe(model.delete(name));
          } else {
            now += ms;
            while (index.advance(now, budget, visitor));
            for (const deadline of model.values()) expect(deadline).toBeGreaterThan(now - 1000);
          }
          expect(index.count).toBe(model.size);
          expect(index.idOf(k0, 5, k2, 9) >= 0).toBe(model.has([k0, 5, k2, 9].join()));
        }
      }),
      { numRuns: 300 },
    );
  });
});
