// Rows as aligned columns, for people.

import type { TableRules } from './table-lines.ts';

/** Columns available to a table: the terminal's, unless it is for a file or `--wide` was given. */
export function tableColumns({ wide }: { readonly wide?: boolean }): number {
  return wide || !process.stdout.isTTY ? Number.POSITIVE_INFINITY : process.stdout.columns || 80;
}

/**
 * The first row is the head. Columns of numbers are aligned right; the widest others are cut to fit, by the rules. The code for widths of
 * characters is loaded with the first table, so that help and errors in flags do not wait for it.
 */
export async function textTable(
  cells: readonly (readonly string[])[],
  columns = Number.POSITIVE_INFINITY,
  rules: TableRules = {},
): Promise<string> {
  const { tableLines } = await import('./table-lines.ts');
  return tableLines(cells, columns, rules)
    .map((line) => `${line}\n`)
    .join('');
}
