// The lines of a table that knows how many columns it may take, and how many each character takes.

import { escapeUnseen } from '../../sip/shown-text.ts';
import { toWidth, widthOf } from './text-width.ts';

const GAP = 2;
/** A column of text is not cut below this. */
const COLUMN_MIN = 8;

/** The first row is the head. */
export function tableLines(cells: readonly (readonly string[])[], columns: number): string[] {
  const rows = cells.map((row) => row.map(escapeUnseen)); // no cell ends its line, or hides how long it is
  const right = rows[0].map((_, column) => rows.slice(1).every((row) => isNumber(row[column] ?? '')));
  const widths = narrowed(
    rows[0].map((_, column) => rows.reduce((most, row) => Math.max(most, widthOf(row[column] ?? '')), 0)),
    right,
    columns,
  );
  return rows.map((row) =>
    row
      .map((text, column) => toWidth(text, widths[column], right[column]))
      .join(' '.repeat(GAP))
      .trimEnd(),
  );
}

function isNumber(text: string): boolean {
  return /^-?[0-9.,]+[%s]?$/.test(text);
}

function narrowed(widths: number[], fixed: readonly boolean[], columns: number): number[] {
  const fitted = [...widths];
  for (;;) {
    const all = fitted.reduce((sum, width) => sum + width, GAP * (fitted.length - 1));
    if (all <= columns) return fitted;
    let widest = -1;
    for (const [column, width] of fitted.entries())
      if (!fixed[column] && width > COLUMN_MIN && (widest < 0 || width > fitted[widest])) widest = column;
    if (widest < 0) return fitted;
    fitted[widest]--;
  }
}
