// What a driver gives: one connection to a database, and errors of three kinds. The drivers of PostgreSQL and MySQL stand beside.

import { readFile } from 'node:fs/promises';
import type { SqlSourceOptions } from '../provider-options.ts';
import { parseSqlAddress, type SqlAddress, staysOnMachine } from './sql-address.ts';

/** By column as the server spells it. */
export type SqlRow = Readonly<Record<string, unknown>>;

export interface SqlConnection {
  /**
   * Rows of the configured query.
   * @throws UnfitNameError @throws LostConnectionError @throws Error where the server refuses the query
   */
  run(values: readonly string[]): Promise<readonly SqlRow[]>;
  /** It has ended, or its state is not known. */
  readonly isOver: boolean;
  /** At once, whatever is under way. */
  end(): void;
}

/** Opens one. Rejects where that fails, or takes longer than the driver was told to wait. */
export type OpenSqlConnection = () => Promise<SqlConnection>;

/** The database cannot hold such a user name: there is no such user. */
export class UnfitNameError extends Error {}

/** The connection is gone; another one may do. */
export class LostConnectionError extends Error {}

/** What both drivers need to open a connection. */
export interface SqlLogin {
  readonly address: SqlAddress;
  /** Undefined: without TLS. */
  readonly tls: { readonly ca?: Buffer } | undefined;
  readonly password: string | undefined;
}

/** Files are read anew each time: a password or a certificate that was changed holds for the next connection. */
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
