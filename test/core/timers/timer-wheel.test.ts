// The timer wheel against a plain list, in virtual time.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TimerWheel } from '../../../src/core/timers/timer-wheel.ts';

class Fired {
  readonly ids: number[] = [];
  visit(id: number): void {
    this.ids.push(id);
  }
}

const start = 1_700_000_000_000;

describe('timer wheel', () => {
  it('fires at the first tick at or after the deadline, never before', () => {
    const wheel = new TimerWheel();
    const fired = new Fired();
    wheel.advance(start, 10, fired);
    wheel.add(7, start + 1500);
    expect(wheel.msToNextTick(start)).toBe(2000);
    expect(wheel.advance(start + 1499, 10, fired)).toBe(false);
    expect(fired.ids).toEqual([]);
    wheel.advance(start + 2000, 10, fired);
    expect(fired.ids).toEqual([7]);
    expect(wheel.msToNextTick(start + 2000)).toBe(-1);
    expect(wheel.has(7)).toBe(false);
  });

  it('moves a deadline later, earlier, beyond the horizon and away', () => {
    const wheel = new TimerWheel(1000, 32);
    const fired = new Fired();
    wheel.advance(start, 10, fired);
    for (const id of [1, 2, 3, 4]) wheel.add(id, start + 10_000);
    wheel.add(1, start + 500_000);
    wheel.add(2, start + 3_000);
    wheel.remove(3);
    wheel.remove(3);
    const when: number[] = [];
    for (let now = start; now <= start + 510_000; now += 1000) {
      const before = fired.ids.length;
      wheel.advance(now, 10, fired);
      if (fired.ids.length > before) when.push((now - start) / 1000);
    }
    expect(fired.ids).toEqual([2, 4, 1]);
    expect(when).toEqual([3, 10, 500]);
    expect(wheel.count).toBe(0);
  });

  it('spreads a million timers of one bucket over bounded calls', () => {
    const wheel = new TimerWheel();
    const seen = new Uint8Array(1_000_000);
    let fired = 0;
    const visitor = {
      visit(id: number): void {
        seen[id]++;
        fired++;
      },
    };
    wheel.advance(start, 10, visitor);
    for (let id = 0; id < 1_000_000; id++) wheel.add(id, start + 5000);
    let calls = 0;
    for (let more = true; more; calls++) {
      const before = fired;
      more = wheel.advance(start + 5000, 1000, visitor);
      expect(fired - before).toBeLessThanOrEqual(1000);
      if (more && fired < 1_000_000) expect(wheel.msToNextTick(start + 5000)).toBe(0);
    }
    expect(calls).toBe(1000);
    expect(seen.every((times) => times === 1)).toBe(true);
  });

  it('bounds the work of re-linking too, and survives a long sleep and a clock set back', () => {
    const wheel = new TimerWheel(1000, 32);
    const fired = new Fired();
    wheel.advance(start, 10, fired);
    for (let id = 0; id < 100; id++) wheel.add(id, start + 1000);
    for (let id = 0; id < 100; id++) wheel.add(id, start + 86_400_000);
    let calls = 1;
    while (wheel.advance(start + 3_600_000, 10, fired)) calls++;
    expect(calls).toBeGreaterThanOrEqual(10);
    expect(fired.ids).toEqual([]);
    wheel.advance(start, 1000, fired);
    wheel.add(100, start + 2000);
    expect(wheel.msToNextTick(start)).toBeLessThanOrEqual(2000);
    wheel.advance(start + 2000, 1000, fired);
    expect(fired.ids).toEqual([100]);
    wheel.advance(start + 86_400_000, 1000, fired);
    expect(fired.ids.length).toBe(101);
  });

  it('lets the visitor add the timer again without spinning', () => {
    const wheel = new TimerWheel();
    let times = 0;
    const visitor = {
      visit(id: number): void {
        times++;
        wheel.add(id, 0);
      },
    };
    wheel.advance(start, 10, visitor);
    wheel.add(0, start);
    expect(wheel.advance(start + 1000, 100, visitor)).toBe(false);
    expect(times).toBe(1);
    expect(wheel.msToNextTick(start + 1000)).toBe(1000);
  });

  it('agrees with a plain list: none lost, none early, none later than a tick, never a wait too long', () => {
    const ids = 12;
    const command = fc.oneof(
      fc.record({ act: fc.constant('add' as const), id: fc.nat(ids - 1), ms: fc.nat(200_000) }),
      fc.record({ act: fc.constant('remove' as const), id: fc.nat(ids - 1), ms: fc.constant(0) }),
      fc.record({ act: fc.constant('pass' as const), id: fc.constant(0), ms: fc.nat(30_000) }),
      fc.record({ act: fc.constant('wait' as const), id: fc.constant(0), ms: fc.constant(0) }),
    );
    fc.assert(
      fc.property(fc.array(command, { maxLength: 80 }), fc.integer({ min: 1, max: 5 }), (commands, budget) => {
        const wheel = new TimerWheel(1000, 32, 2);
        const model = new Map<number, number>();
        let now = start;
        const run = (): void => {
          let looked = 0;
          const visitor = {
            visit(id: number): void {
              looked++;
              const deadline = model.get(id);
              expect(deadline).toBeLessThanOrEqual(now);
              model.delete(id);
            },
          };
          let more = true;
          while (more) {
            looked = 0;
            more = wheel.advance(now, budget, visitor);
            expect(looked).toBeLessThanOrEqual(budget);
          }
          for (const deadline of model.values()) expect(deadline).toBeGreaterThan(now - 1000);
        };
        run();
        for (const { act, id, ms } of commands) {
          if (act === 'add') {
            wheel.add(id, now + ms);
            model.set(id, now + ms);
          } else if (act === 'remove') {
            wheel.remove(id);
            model.delete(id);
          } else if (act === 'pass') {
            now += ms;
            run();
          } else {
            const wait = wheel.msToNextTick(now);
            if (model.size === 0) expect(wait).toBe(-1);
            else {
              expect(wait).toBeGreaterThan(0);
              expect(now + wait).toBeLessThan(Math.min(...model.values()) + 1001);
              now += wait;
              run();
            }
          }
          expect(wheel.count).toBe(model.size);
        }
        while (model.size > 0) {
          now += wheel.msToNextTick(now);
          run();
        }
        expect(wheel.count).toBe(0);
      }),
      { numRuns: 300 },
    );
  });
});
