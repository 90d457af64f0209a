// Addresses of databases: postgresql://user:password@host:port/database, mysql:// or mariadb:// likewise. No message contains the
// password.

import { HIDDEN } from '../../config/rows/kinds.ts';

export type SqlDialect = 'postgresql' | 'mysql';

export interface SqlAddress {
  readonly dialect: SqlDialect;
  /** Host without brackets. */
  readonly host: string;
  readonly port: number;
  /** Unix socket, instead of host and port; for PostgreSQL the directory that contains it. */
  readonly socket?: string;
  readonly user: string;
  readonly password?: string;
  readonly database: string;
}

const DIALECTS: Readonly<Record<string, SqlDialect>> = {
  'postgresql:': 'postgresql',
  'postgres:': 'postgresql',
  'mysql:': 'mysql',
  'mariadb:': 'mysql',
};
const PORTS: Readonly<Record<SqlDialect, number>> = { postgresql: 5432, mysql: 3306 };
const SHAPE = 'postgresql://user@host/database, mysql://… or mariadb://…';

/** @throws RangeError */
export function parseSqlAddress(text: string): SqlAddress {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const dialect = url && DIALECTS[url.protocol];
  if (url === undefined || dialect === undefined)
    throw new RangeError(`expected ${SHAPE}, got "${withoutCredentials(text)}"`);
  const [user, password, database] = [url.username, url.password, url.pathname.slice(1)].map(plain);
  if (user === '' || url.hostname === '' || database === '' || database.includes('/'))
    throw new RangeError(`expected ${SHAPE}, got "${withoutCredentials(text)}"`);
  const unknown = [...url.searchParams.keys()].find((key) => key !== 'socket');
  if (unknown !== undefined) throw new RangeError(`knows no parameter "${unknown}", only "socket"`);
  const socket = url.searchParams.get('socket');
  if (socket !== null && !socket.startsWith('/')) throw new RangeError('has a socket that is no absolute path');
  return {
    dialect,
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port === '' ? PORTS[dialect] : Number(url.port),
    ...(socket !== null && { socket }),
    user,
    ...(password !== '' && { password }),
    database,
  };
}

/** A URL for display, with its password hidden. */
export function shownSqlUrl(text: string): string {
  return text.replace(/^([a-z]+:\/\/[^:/@]*):.*@/is, `$1:${HIDDEN}@`);
}

/** Hides all text before the last @: a password may be misspelt. */
export function withoutCredentials(url: string): string {
  return url.replace(/:\/\/.*@/s, `://${HIDDEN}@`);
}

/** Whether the connection stays on this machine, where no network can be tapped. */
export function staysOnMachine({ host, socket }: SqlAddress): boolean {
  return socket !== undefined || host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);
}

function plain(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new RangeError('has a % that is no escape: write %25 for it');
  }
}
