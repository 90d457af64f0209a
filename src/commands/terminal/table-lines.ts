// The lines of a table within a number of columns, by the width of each character.

import { escapeUnseen } from '../../sip/shown-text.ts';
import { toWidth, widthOf, wordLines } from './text-width.ts';

const GAP = 2;
/** A column of text is not cut below this. */
const COLUMN_MIN = 8;

/** Rules for a table that is too wide. Columns are named by their heads. */
export interface TableRules {
  /** Columns to leave out, in this order. */
  readonly spare?: readonly string[];
  /** Columns that are never cut: where they do not fit, each row is a block of lines. */
  readonly whole?: readonly string[];
  /** Whether the last column continues below, wrapped at words. */
  readonly wraps?: boolean;
}

/** The first row is the head. */
export function tableLines(
  cells: readonly (readonly string[])[],
  columns: number,
  { spare = [], whole = [], wraps = false }: TableRules = {},
): string[] {
  const rows = cells.map((row) => row.map(escapeUnseen)); // no cell may break its line, or hide its width
  const kept = keptColumns(rows, columns, spare);
  const table = rows.map((row) => kept.map((column) => row[column] ?? ''));
  const right = table[0].map((_, column) => table.slice(1).every((row) => isNumber(row[column])));
  const natural = widthsOf(table);
  const fixed = table[0].map((head, column) => right[column] || whole.includes(head));
  const widths = narrowed(natural, fixed, columns);
  if (whole.length > 0 && totalOf(widths) > columns) return blocks(rows);
  return table.flatMap((row) => rowLines(row, widths, right, wraps));
}

function isNumber(text: string): boolean {
  return /^-?[0-9.,]+[%s]?$/.test(text);
}

function widthsOf(rows: readonly (readonly string[])[]): number[] {
  return rows[0].map((_, column) => rows.reduce((most, row) => Math.max(most, widthOf(row[column] ?? '')), 0));
}

function totalOf(widths: readonly number[]): number {
  return widths.reduce((sum, width) => sum + width, GAP * (widths.length - 1));
}

/** Columns that fit, or must stay. */
function keptColumns(rows: readonly (readonly string[])[], columns: number, spare: readonly string[]): number[] {
  const widths = widthsOf(rows);
  let kept = [...rows[0].keys()];
  for (const head of spare) {
    if (totalOf(kept.map((column) => widths[column])) <= columns) break;
    kept = kept.filter((column) => rows[0][column] !== head);
  }
  return kept;
}

function rowLines(
  row: readonly string[],
  widths: readonly number[],
  right: readonly boolean[],
  wraps: boolean,
): string[] {
  const last = row.length - 1;
  const pieces = wraps ? wordLines(row[last], widths[last]) : [row[last]];
  const before = row.slice(0, -1).map((text, column) => toWidth(text, widths[column], right[column]) + ' '.repeat(GAP));
  const indent = ' '.repeat(widthOf(before.join('')));
  return pieces.map((piece, i) =>
    `${i === 0 ? before.join('') : indent}${toWidth(piece, widths[last], right[last])}`.trimEnd(),
  );
}

/** A line for each cell that has text, after its head. */
function blocks([heads, ...rows]: readonly (readonly string[])[]): string[] {
  const width = Math.max(...heads.map(widthOf)) + GAP;
  return rows.flatMap((row, i) => [
    ...(i === 0 ? [] : ['']),
    ...row.flatMap((text, column) => (text === '' ? [] : [toWidth(heads[column], width) + text])),
  ]);
}

function narrowed(widths: number[], fixed: readonly boolean[], columns: number): number[] {
  const fitted = [...widths];
  while (totalOf(fitted) > columns) {
    let widest = -1;
    for (const [column, width] of fitted.entries())
      if (!fixed[column] && width > COLUMN_MIN && (widest < 0 || width > fitted[widest])) widest = column;
    if (widest < 0) return fitted;
    fitted[widest]--;
  }
  return fitted;
}
