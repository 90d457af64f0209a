// The index of flows and AORs against sets.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FlowIndex } from '../../src/location/table/flow-index.ts';

describe('flow index', () => {
  it('holds the pairs that a map of sets would, whatever is tracked and taken', () => {
    const step = fc.record({
      take: fc.boolean(),
      flow: fc.integer({ min: 1, max: 5 }),
      aor: fc.integer({ min: 0, max: 40 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 400 }), (steps) => {
        const index = new FlowIndex(1000, 4);
        const model = new Map<number, Set<number>>();
        for (const { take, flow, aor } of steps) {
          const aors = model.get(flow) ?? new Set();
          if (!take) {
            expect(index.track(flow, aor, 1, aor & 3, 2)).toBe(true);
            model.set(flow, aors.add(aor));
          } else if (index.removeOne(flow)) expect(aors.delete(index.key[0])).toBe(true);
          else expect(aors.size).toBe(0);
          expect(index.has(flow)).toBe((model.get(flow)?.size ?? 0) > 0);
        }
        for (const [flow, aors] of model) {
          const left = new Set<number>();
          while (index.removeOne(flow)) left.add(index.key[0]);
          expect(left).toEqual(aors);
        }
        expect([index.count, index.flows]).toEqual([0, 0]);
      }),
    );
  });

  it('is bounded', () => {
    const index = new FlowIndex(3, 4);
    expect([1, 2, 3, 4].map((aor) => index.track(9, aor, 0, 0, 0))).toEqual([true, true, true, false]);
    expect(index.track(9, 1, 0, 0, 0)).toBe(true);
    index.removeOne(9);
    expect(index.track(8, 4, 0, 0, 0)).toBe(true);
  });
});
