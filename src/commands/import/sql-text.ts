// SQL for the databases of other registrars: each one's quoting, and the beginning and end of a file of rows.

export type Database = 'mysql' | 'postgres' | 'sqlite';
export const DATABASES: readonly Database[] = ['mysql', 'postgres', 'sqlite'];

export type SqlValue = string | number | null;

export function beginning(database: Database): string {
  return database === 'mysql' ? 'START TRANSACTION;\n' : 'BEGIN;\n';
}

export const END = 'COMMIT;\n';

/** One row, with its line end. @param names of columns, written unchanged */
export function insertion(
  table: string,
  names: readonly string[],
  values: readonly SqlValue[],
  database: Database,
): string {
  return `INSERT INTO ${table} (${names.join(',')}) VALUES (${values.map((value) => literal(value, database)).join(',')});\n`;
}

function literal(value: SqlValue, database: Database): string {
  if (value === null) return 'NULL';
  if (typeof value === 'number') return String(value);
  const text = value.replaceAll('\0', '').replaceAll("'", "''");
  return `'${database === 'mysql' ? text.replaceAll('\\', '\\\\') : text}'`;
}
