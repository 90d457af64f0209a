// The interface of drivers: one connection to a database, and errors of three kinds. The drivers of PostgreSQL and MySQL are
// beside this file.

import { readFile } from 'node:fs/promises';
import type { SqlSourceOptions } from '../provider-options.ts';
import { parseSqlAddress, type SqlAddress, staysOnMachine } from './sql-address.ts';

/** Values by column, spelt as by the server. */
export type SqlRow = Readonly<Record<string, unknown>>;

export interface SqlConnection {
  /**
   * Rows of the configured query.
   * @throws UnfitNameError @throws LostConnectionError @throws Error where the server refuses the query
   */
  run(values: readonly string[]): Promise<readonly SqlRow[]>;
  /** Whether it has ended, or its state is not known. */
  readonly isOver: boolean;
  /** Ends it at once, with any query in progress. */
  end(): void;
}

/** Opens a connection. Rejects where that fails, or takes longer than the driver's time-out. */
export type OpenSqlConnection = () => Promise<SqlConnection>;

/** The database cannot hold such a user name: there is no such user. */
export class UnfitNameError extends Error {}

/** The connection is gone; another one may do. */
export class LostConnectionError extends Error {}

/** The parts that both drivers need to open a connection. */
export interface SqlLogin {
  readonly address: SqlAddress;
  /** Undefined: without TLS. */
  readonly tls: { readonly ca?: Buffer } | undefined;
  readonly password: string | undefined;
}

/** Files are read each time: a changed password or certificate counts for the next connection. */
export async function sqlLogin({ url, tls, ca, passwordFile }: SqlSourceOptions): Promise<SqlLogin> {
  const address = parseSqlAddress(url);
  const byDefault = ca !== undefined || !staysOnMachine(address) ? 'verify' : 'off';
  return {
    address,
    tls: (tls ?? byDefault) === 'verify' ? { ...(ca !== undefined && { ca: await readFile(ca) }) } : undefined,
    password:
      passwordFile === undefined ? address.password : (await readFile(passwordFile, 'utf8')).replace(/\r?\n$/, ''),
  };
}
