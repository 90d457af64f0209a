// Connections to PostgreSQL, through pg.

import type { SqlSourceOptions } from '../provider-options.ts';
import {
  LostConnectionError,
  type OpenSqlConnection,
  type SqlConnection,
  type SqlRow,
  sqlLogin,
  UnfitNameError,
} from './sql-connection.ts';
import { parseSqlQuery, queryText } from './sql-query.ts';

/** The name does not fit the database's encoding or the column's type (PostgreSQL, appendix A, class 22). */
const UNFIT_NAME = new Set(['22001', '22003', '22021', '22P02', '22P05']);
/** By code, since the severity is in the server's language. */
const LOST_CONNECTION = /^(08|57P)/;

export async function postgresql(options: SqlSourceOptions, timeoutMs: number): Promise<OpenSqlConnection> {
  const { Client, DatabaseError } = await import('pg');
  const text = queryText(parseSqlQuery(options.query), (n) => `$${n}`);
  return async () => {
    const { address, tls, password } = await sqlLogin(options);
    const client = new Client({
      host: address.socket ?? address.host,
      port: address.port,
      user: address.user,
      password,
      database: address.database,
      ssl: tls === undefined ? false : { ...tls, rejectUnauthorized: true },
      connectionTimeoutMillis: timeoutMs,
      keepAlive: true,
      application_name: 'aorta',
    });
    let isOver = false;
    const ended = () => {
      isOver = true;
    };
    client.on('error', ended);
    client.on('end', ended);
    await client.connect();
    return {
      async run(values): Promise<readonly SqlRow[]> {
        try {
          return (await client.query<Record<string, unknown>>({ text, values: [...values] })).rows;
        } catch (error) {
          if (!(error instanceof DatabaseError)) throw lost(error);
          if (UNFIT_NAME.has(error.code ?? '')) throw new UnfitNameError(error.message);
          if (LOST_CONNECTION.test(error.code ?? '')) throw lost(error);
          throw error;
        }
      },
      get isOver() {
        return isOver;
      },
      end() {
        isOver = true;
        client.end().catch(() => {});
      },
    } satisfies SqlConnection;
  };
}

function lost(cause: unknown): LostConnectionError {
  return new LostConnectionError(cause instanceof Error ? cause.message : String(cause));
}
