// Figures of the bench that have no base: told as such, with no verdict.

import { expect, it } from 'vitest';
import { atLeast, atMost, driftRow, ratios, targetTable } from '../../bench/rows.ts';

it('a ratio without a base is a dash, and neither met nor missed', () => {
  expect(ratios([1, 2, 3], [0, undefined, 4])).toEqual([0.75]);
  expect(ratios([0], [0])).toEqual([]);
  const rows = [
    atMost('a share', ratios([1], [0]), 1, 2, 'x'),
    atLeast('a share', ratios([0], [0]), 1, 2, 'x'),
    driftRow('cost', [0, 0, 1, 1]),
  ];
  expect(targetTable(rows).rows.map(([, measured, , verdict]) => [measured, verdict])).toEqual([
    ['-', ''],
    ['-', ''],
    ['-', ''],
  ]);
});

it('a ratio that has one is compared with its limit', () => {
  const [[, measured, , verdict]] = targetTable([atMost('a share', ratios([3], [2]), 1, 2, 'x')]).rows;
  expect([measured, verdict]).toEqual(['1.50 x', '**missed**']);
});
