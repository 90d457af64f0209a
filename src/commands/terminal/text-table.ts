// Rows as aligned columns, for people.

import { escapeUnseen } from '../../sip/shown-text.ts';

/** The first row is the head. Columns of numbers stand to the right. */
export function textTable(cells: readonly (readonly string[])[]): string {
  const rows = cells.map((row) => row.map(escapeUnseen)); // no cell ends its line, or hides how long it is
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)));
  const right = rows[0].map((_, column) => rows.slice(1).every((row) => /^-?[0-9.,]+[%s]?$/.test(row[column] ?? '')));
  return rows
    .map((row) =>
      row
        .map((text, column) => (right[column] ? text.padStart(widths[column]) : text.padEnd(widths[column])))
        .join('  ')
        .trimEnd(),
    )
    .map((line) => `${line}\n`)
    .join('');
}
