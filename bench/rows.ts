// A row that has a target: what was measured, what was wanted, and how the row came about.

import type { Table } from './question.ts';

export interface Row {
  readonly target: string;
  /** As people read it, with its unit; several runs: median (min - max). */
  readonly measured: string;
  readonly wanted: string;
  /** Undefined: nothing to compare with. */
  readonly met?: boolean | undefined;
  readonly values: readonly number[];
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

/** Median (min - max) of several runs; a dash where there is none. */
export function spread(values: readonly number[], digits: number, unit = ''): string {
  const text = (value: number) => value.toFixed(digits);
  if (values.length === 0) return '-';
  const range = values.length < 2 ? '' : ` (${text(Math.min(...values))} - ${text(Math.max(...values))})`;
  return `${text(median(values))}${range} ${unit}`.trim();
}

/** Each value as a share of its base; none where there is no base, or one that was too small to be seen. */
export function ratios(values: readonly number[], bases: readonly (number | undefined)[]): number[] {
  return values.flatMap((value, i) => {
    const base = bases[i];
    return base === undefined || base === 0 || Number.isNaN(base) ? [] : [value / base];
  });
}

/** A row without a target. */
export function seen(target: string, values: readonly number[], digits: number, unit: string): Row {
  return { target, measured: spread(values, digits, unit), wanted: '', values };
}

/** A row whose median may be at most `limit`. */
export function atMost(target: string, values: readonly number[], limit: number, digits: number, unit: string): Row {
  const met = values.length === 0 ? undefined : median(values) <= limit;
  return { ...seen(target, values, digits, unit), wanted: `<= ${limit} ${unit}`.trim(), met };
}

/** A row whose median has to be at least `limit`. */
export function atLeast(target: string, values: readonly number[], limit: number, digits: number, unit: string): Row {
  const met = values.length === 0 ? undefined : median(values) >= limit;
  return { ...seen(target, values, digits, unit), wanted: `>= ${limit} ${unit}`.trim(), met };
}

/** How far the second half of what was seen is from the first: within 20% is flat. */
export function driftRow(what: string, seen: readonly number[]): Row {
  const half = seen.length >> 1;
  const drift = ratios([median(seen.slice(half))], [median(seen.slice(0, half))]).map((ratio) => (ratio - 1) * 100);
  const met = drift.length === 0 ? undefined : Math.abs(drift[0]) <= 20;
  return { target: `${what}, drift`, measured: spread(drift, 1, '%'), wanted: '+- 20 %', met, values: seen };
}

export function targetTable(rows: readonly Row[], note?: string): Table {
  const word = (met: boolean | undefined) => (met === undefined ? '' : met ? 'met' : '**missed**');
  return {
    head: ['', 'measured', 'target', ''],
    rows: rows.map(({ target, measured, wanted, met }) => [target, measured, wanted, word(met)]),
    note,
    data: rows,
  };
}
