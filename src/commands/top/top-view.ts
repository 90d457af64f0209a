// The picture of `aorta top` on a terminal of so many columns and rows: a head, the last minutes as bars, and tables.
// Pure.

import { escapeUnseen } from '../../sip/shown-text.ts';
import type { Paint } from '../terminal/colours.ts';
import { sparkline } from '../terminal/sparkline.ts';
import { tableLines } from '../terminal/table-lines.ts';
import { cut, toWidth } from '../terminal/text-width.ts';
import type { Figures, Past, Sample } from './top-figures.ts';
import { TOP_KEYS } from './top-keys.ts';
import { figure, orderedRows, TOP_TABLES, type TopTable } from './top-tables.ts';

export interface TopState {
  /** Index of the single table; undefined: all of them. */
  readonly alone: number | undefined;
  /** Index of the column that sorts a table, by the table's index; absent: the initial one. */
  readonly sortedBy: ReadonlyMap<number, number>;
  readonly filter: string;
  /** Whether the filter is being typed. */
  readonly isTyping: boolean;
  readonly help: boolean;
  /** Scrolled rows of the single table. */
  readonly scrolled: number;
}

export interface TopPage {
  readonly url: string;
  readonly status: Sample['status'];
  readonly figures: Figures;
  readonly past: Past;
  readonly clock: string;
}

const LABEL = 10;
const VALUE = 9;
const GAP = 3;
const LIMIT_ALARM = 0.8;

export function drawTop(page: TopPage, state: TopState, columns: number, rows: number, paint: Paint): string[] {
  const head = headLines(page, columns, paint);
  const foot = footLine(state, columns, paint);
  const space = rows - head.length - 1;
  const body = state.help
    ? TOP_KEYS.split('\n').map((line) => cut(line, columns))
    : state.alone === undefined
      ? allTables(page.figures, state, columns, space, paint)
      : oneTable(state.alone, page.figures, state, columns, space, paint);
  const shown = body.slice(0, Math.max(0, space));
  const empty = Array.from({ length: Math.max(0, space - shown.length) }, () => '');
  return [...head, ...shown, ...empty, foot].slice(-Math.max(1, rows));
}

function headLines({ url, status, figures, past, clock }: TopPage, columns: number, paint: Paint): string[] {
  const state = status.ready ? 'ready' : status.problems.join(', ');
  const left = cut(`aorta  ${url}  ${state}  up ${uptime(status.uptimeSeconds)}`, columns - clock.length - 2);
  const first = toWidth(left, columns - clock.length) + clock;
  const near = status.limits
    .filter(({ share }) => share >= LIMIT_ALARM)
    .map(({ limit }) => `${limit.replace('_', ' ')} nearly used up`);
  const connections = Object.values(status.connections).reduce((sum, count) => sum + count, 0);
  const counts = `${figure(figures.bindings)} contacts  ${figure(figures.aors)} addresses  ${figure(connections)} connections`;
  const storm = figures.perSecond.put_off_new > 0 ? [`storm: ${figure(figures.perSecond.put_off_new)}/s put off`] : [];
  const second = cut([counts, ...storm, ...near].join('  '), columns);
  const { perSecond, latencyMs } = figures;
  const disk = past.disk.at(-1) ?? 0;
  return [
    paint(status.ready ? 'bold' : 'red', first),
    storm.length + near.length > 0 ? paint('red', second) : second,
    '',
    barLine('accepted', `${figure(perSecond.ok)}/s`, past.accepted, 'green', columns, paint),
    barLine('refused', `${figure(perSecond.refused)}/s`, past.refused, 'yellow', columns, paint),
    barLine('p99', latencyMs.p99 === null ? '-' : `≤${latencyMs.p99} ms`, past.p99, 'cyan', columns, paint),
    barLine('disk wait', `${(disk * 100).toFixed(0)}%`, past.disk, 'cyan', columns, paint),
    '',
  ];
}

function barLine(
  label: string,
  value: string,
  values: readonly (number | null)[],
  style: 'green' | 'yellow' | 'cyan',
  columns: number,
  paint: Paint,
): string {
  const bars = Math.max(0, columns - LABEL - VALUE - 2);
  return `${toWidth(label, LABEL)}${toWidth(value, VALUE, true)}  ${paint(style, sparkline(values, bars))}`;
}

/** Two columns of two tables each. */
function allTables(figures: Figures, state: TopState, columns: number, space: number, paint: Paint): string[] {
  const width = Math.floor((columns - GAP) / 2);
  const upper = Math.ceil(space / 2);
  const [shards, refusals, sources, addresses] = TOP_TABLES.map((table, i) => {
    const height = (i % 2 === 0 ? upper : space - upper) - 1;
    return padded(tablePart(table, i, figures, state, width, height, paint), height + 1);
  });
  const left = [...shards, ...refusals];
  const right = [...sources, ...addresses];
  return left.map((line, i) => `${fitPainted(line, width)}${' '.repeat(GAP)}${right[i]?.text ?? ''}`);
}

function oneTable(
  index: number,
  figures: Figures,
  state: TopState,
  columns: number,
  space: number,
  paint: Paint,
): string[] {
  return tablePart(TOP_TABLES[index], index, figures, state, columns, space, paint).map(({ text }) => text);
}

interface Painted {
  /** Text with colours. */
  readonly text: string;
  /** Text without colours. */
  readonly plain: string;
}

function tablePart(
  table: TopTable,
  index: number,
  figures: Figures,
  state: TopState,
  columns: number,
  height: number,
  paint: Paint,
): Painted[] {
  const by = state.sortedBy.get(index) ?? table.sorted;
  const rows = orderedRows(table, table.rows(figures), by, state.filter);
  const first = state.alone === index ? Math.min(state.scrolled, Math.max(0, rows.length - 1)) : 0;
  const head = table.columns.map((name, column) => (column === by ? `${name}*` : name));
  const lines = tableLines(
    [head, ...rows.slice(first, first + Math.max(0, height - 1)).map(({ cells }) => cells)],
    columns,
  );
  return lines.map((line, i) => {
    const plain = cut(line, columns);
    return { plain, text: i === 0 ? paint('dim', plain) : plain };
  });
}

function padded(lines: readonly Painted[], height: number): Painted[] {
  const empty = { plain: '', text: '' };
  return Array.from({ length: height }, (_, i) => lines[i] ?? empty);
}

function fitPainted({ text, plain }: Painted, columns: number): string {
  return text + toWidth(plain, columns).slice(plain.length);
}

function footLine({ filter, isTyping, alone }: TopState, columns: number, paint: Paint): string {
  const shown = escapeUnseen(filter);
  if (isTyping) return paint('inverse', toWidth(`/${shown}`, columns));
  const keys = `q quit  s sort  / filter  Tab ${alone === undefined ? 'one table' : 'next table'}  ? help`;
  return paint('inverse', toWidth(shown === '' ? keys : `filter: ${shown}  ${keys}`, columns));
}

function uptime(seconds: number): string {
  const [days, hours, minutes] = [
    Math.floor(seconds / 86_400),
    Math.floor(seconds / 3600) % 24,
    Math.floor(seconds / 60) % 60,
  ];
  if (days > 0) return `${days} d ${hours} h`;
  return hours > 0 ? `${hours} h ${minutes} min` : `${minutes} min`;
}
