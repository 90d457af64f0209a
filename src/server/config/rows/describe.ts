// Texts of documents about a row: its default, and its sentence without marks.

import { DEFAULT_CONFIG } from '../config.ts';
import { valueAt } from './by-path.ts';
import type { Row, Rows, Section } from './row.ts';

/** The value of a key that is left out, in the form of the file. @param base of the part that the row is in */
export function defaultOf(row: Row, base: object = DEFAULT_CONFIG): unknown {
  const value = valueAt(base, row.at);
  return value === undefined ? undefined : row.kind.show(value);
}

/** For people: `none` where there is no default. */
export function defaultText(row: Row, base?: object): string {
  if (row.otherwise !== undefined) return row.otherwise;
  const value = defaultOf(row, base);
  if (Array.isArray(value)) return value.length === 0 ? 'none' : value.join(', ');
  if (typeof value === 'object' && value !== null) return 'none';
  return value === undefined ? 'none' : String(value);
}

/** A sentence of a row without marks of Markdown. */
export function plain(says: string): string {
  return says.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1').replaceAll('`', '');
}

/** The defaults of a section's rows: a part that does not exist by itself has its own base. */
export function baseOf({ part }: Section<Rows, unknown>, base: object): object {
  if (part === undefined) return base;
  const [key, ...rest] = part.at;
  const nested = rest.reduceRight<object>((value, name) => ({ [name]: value }), part.base);
  return { ...base, [key]: nested };
}
