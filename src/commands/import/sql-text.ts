// SQL for the databases of other registrars: how each quotes, and how a file of rows begins and ends.

export type Database = 'mysql' | 'postgres' | 'sqlite';
export const DATABASES: readonly Database[] = ['mysql', 'postgres', 'sqlite'];

export type SqlValue = string | number | null;

export function beginning(database: Database): string {
  return database === 'mysql' ? 'START TRANSACTION;\n' : 'BEGIN;\n';
}

export const END = 'COMMIT;\n';

/** One row, with its line end. @param names of columns as they are to be written */
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
