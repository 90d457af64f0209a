// The tables of `aorta top`, each with its columns to sort by.

import type { Figures, TopSender } from './top-figures.ts';

/** A row: its texts, and its values for sorting. */
export interface TopRow {
  readonly cells: readonly string[];
  readonly values: readonly (string | number)[];
}

export interface TopTable {
  readonly name: string;
  readonly columns: readonly string[];
  /** The column that sorts it at first; numbers from the largest on, texts from A on. */
  readonly sorted: number;
  rows(figures: Figures): TopRow[];
}

const row = (values: readonly (string | number)[], unit = ''): TopRow => ({
  cells: values.map((value) => (typeof value === 'number' ? figure(value) + unit : value)),
  values,
});
const senders = (list: readonly TopSender[]) =>
  list.map(({ name, perSecond, refusedPerSecond }) => row([name, perSecond, refusedPerSecond]));

export const TOP_TABLES: readonly TopTable[] = [
  {
    name: 'shards',
    columns: ['shard', 'contacts', 'msgs/s', 'cpu', 'disk'],
    sorted: 0,
    rows: ({ shards }) =>
      shards.map((s) => {
        const counts = row([String(s.shard).padStart(3), s.bindings, s.perSecond]);
        const shares = row([Math.max(0, s.busyPercent - s.diskPercent), s.diskPercent], '%');
        return { cells: [...counts.cells, ...shares.cells], values: [...counts.values, ...shares.values] };
      }),
  },
  {
    name: 'refusals',
    columns: ['refused because', 'per second'],
    sorted: 1,
    rows: ({ refusals }) => Object.entries(refusals).map(([name, value]) => row([name.replaceAll('_', ' '), value])),
  },
  {
    name: 'sources',
    columns: ['source', 'msgs/s', 'refused/s'],
    sorted: 1,
    rows: ({ topSenders }) => senders(topSenders.sources),
  },
  {
    name: 'addresses',
    columns: ['address of record', 'msgs/s', 'refused/s'],
    sorted: 1,
    rows: ({ topSenders }) => senders(topSenders.aors),
  },
];

/** Rows that contain the filter's text, in order. */
export function orderedRows(
  { sorted }: TopTable,
  rows: readonly TopRow[],
  by: number | undefined,
  filter: string,
): TopRow[] {
  const column = by ?? sorted;
  const wanted = filter.toLowerCase();
  return rows
    .filter(({ cells }) => wanted === '' || cells.some((cell) => cell.toLowerCase().includes(wanted)))
    .sort(({ values: a }, { values: b }) => compare(a[column], b[column]));
}

function compare(a: string | number, b: string | number): number {
  if (typeof a === 'number' && typeof b === 'number') return b - a;
  return String(a) < String(b) ? -1 : 1;
}

/** Keeps a decimal below 10: a rate of a few a minute must not show as 0. */
export function figure(value: number): string {
  const tenths = Math.round(value * 10) / 10;
  return tenths < 10 ? String(tenths) : Math.round(value).toLocaleString('en-US');
}
