// Connections to MySQL and MariaDB, through mysql2. The server prepares the statements: a query with values inserted here would
// depend on the server's modes and character sets.

import { connect } from 'node:net';
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

/** The name does not fit the column's character set or type. */
const UNFIT_NAME = new Set([1267, 1270, 1271, 1292, 1300, 1366, 1406, 3854, 3988]);

/** The server shuts down, or has ended this session. */
const LOST_CONNECTION = new Set([1053, 1077, 1927, 4031]);

interface MysqlError extends Error {
  readonly errno?: number;
  /** Present on errors from the server. */
  readonly sqlState?: string;
  readonly fatal?: boolean;
}

export async function mysql(options: SqlSourceOptions, timeoutMs: number): Promise<OpenSqlConnection> {
  const { createConnection } = await import('mysql2/promise');
  const text = queryText(parseSqlQuery(options.query), () => '?');
  return async () => {
    const { address, tls, password } = await sqlLogin(options);
    const { socket: path, host, port } = address;
    // A socket of our own: the driver's `destroy` waits for the server, which may hang.
    const wire = path === undefined ? connect({ host, port }) : connect({ path });
    // The driver names no host to node:tls, which then checks the certificate of an IP address against "localhost".
    Object.assign(wire, { _host: host });
    wire.setNoDelay();
    wire.setKeepAlive(true);
    const late = setTimeout(() => wire.destroy(new Error(`no connection within ${timeoutMs} ms`)), timeoutMs);
    const connection = await createConnection({
      stream: () => wire,
      host,
      user: address.user,
      ...(password !== undefined && { password }),
      database: address.database,
      ...(tls !== undefined && { ssl: { ...tls, rejectUnauthorized: true, verifyIdentity: true } }),
      charset: 'utf8mb4',
    })
      .catch((error: unknown) => {
        wire.destroy();
        throw error;
      })
      .finally(() => clearTimeout(late));
    let isOver = false;
    const ended = () => {
      isOver = true;
    };
    connection.on('error', ended);
    connection.on('end', ended);
    return {
      async run(values): Promise<readonly SqlRow[]> {
        const [rows] = await connection.execute(text, [...values]).catch((error: MysqlError) => {
          throw named(error);
        });
        if (!Array.isArray(rows)) throw new Error('the query gives no rows');
        return rows as SqlRow[];
      },
      get isOver() {
        return isOver;
      },
      end() {
        isOver = true;
        connection.destroy();
        wire.destroy();
      },
    } satisfies SqlConnection;
  };
}

function named(error: MysqlError): Error {
  const { errno = 0, sqlState, fatal, message } = error;
  if (sqlState === undefined || fatal || LOST_CONNECTION.has(errno)) return new LostConnectionError(message);
  return UNFIT_NAME.has(errno) ? new UnfitNameError(message) : error;
}
