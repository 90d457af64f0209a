// A user in a row of a database: columns of the table `subscriber` of Kamailio and OpenSIPS, and `aors` and `policy`.

import { canonicalDomain } from '../../../core/uas/domains.ts';
import { areOf, givenHa1s, HA1_COLUMNS, ha1sOf } from '../../../users/ha1.ts';
import type { UserName } from '../../../users/user-name.ts';
import { type FoundUser, readFoundUser, UnusableUserError } from '../found-user.ts';
import type { SqlRow } from './sql-connection.ts';

type Columns = ReadonlyMap<string, unknown>;

/**
 * Null where no row is the user's, or its row has no credentials.
 * @throws UnusableUserError
 */
export function readSubscriber(rows: readonly SqlRow[], user: UserName): FoundUser | null {
  const own = rows.map(columnsOf).filter((columns) => isOf(columns, user));
  if (own.length === 0) return null;
  if (own.length > 1) throw new UnusableUserError(`there are ${own.length} rows for the user`);
  const [columns] = own;
  try {
    const ha1s = ha1sOfRow(columns, user);
    if (ha1s === undefined) return null;
    const aors = columns.get('aors');
    const policy = columns.get('policy');
    return readFoundUser(
      {
        ...ha1s,
        ...(aors !== undefined && { aors: list(aors) }),
        ...(policy !== undefined && { policy: json(policy) }),
      },
      user,
    );
  } catch (error) {
    throw new UnusableUserError((error as Error).message);
  }
}

/** Columns by name in lower case; empty ones, the default in those tables, are left out. */
function columnsOf(row: SqlRow): Columns {
  const columns = Object.entries(row).map(([name, value]) => [name.toLowerCase(), plain(value)] as const);
  return new Map(columns.filter(([, value]) => value !== undefined && value !== ''));
}

/** Some collations are binary, and some types add blanks at the end. */
function plain(value: unknown): unknown {
  if (value === null || value === undefined) return undefined;
  if (Buffer.isBuffer(value)) return value.toString();
  return typeof value === 'number' || typeof value === 'bigint' ? String(value) : value;
}

/** Many collations treat names as equal that differ by case, accents or blanks. SIP does not. */
function isOf(columns: Columns, { name, realm }: UserName): boolean {
  const [username, domain] = [columns.get('username'), columns.get('domain')];
  if (username !== undefined && username !== name) return false;
  return domain === undefined || (typeof domain === 'string' && canonicalDomain(domain) === realm);
}

/** HA1s in the form of an answer over HTTP; undefined where there is neither an HA1 nor a password. */
function ha1sOfRow(columns: Columns, { name, realm }: UserName): Record<string, string> | undefined {
  const given = givenHa1s((column) => (columns.has(column) ? String(columns.get(column)) : undefined));
  const password = columns.get('password');
  const proven = password !== undefined && (given.length === 0 || areOf(given, ha1sOf(name, realm, String(password))));
  if (proven) return { password: String(password) };
  if (given.length === 0) return undefined;
  return Object.fromEntries(given.map(({ kind, hex }) => [HA1_COLUMNS[kind][0], hex]));
}

/** An array, a JSON array, or a list with blanks or commas. */
function list(value: unknown): unknown {
  if (typeof value !== 'string') return value;
  return value.startsWith('[') ? json(value) : value.split(/[\s,]+/).filter((aor) => aor !== '');
}

function json(value: unknown): unknown {
  if (typeof value !== 'string') return value;
  try {
    return JSON.parse(value);
  } catch {
    throw new Error('a column is not JSON');
  }
}
