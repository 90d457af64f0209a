// Users from a file into the store: the meaning of columns, faults of rows, and batches of transactions. csv-and-sql
// reads the files.

import type { rulesText } from '../../server/config/user-rules.ts';
import { areOf, givenHa1s, type Ha1Set, ha1sOf, parseHa1 } from '../../users/ha1.ts';
import { checkUserName, parseAor } from '../../users/user-name.ts';
import { HA1_FULL, HA1_KINDS, HA1_LENGTHS } from '../../users/user-record.ts';
import type { UserStore } from '../../users/user-store.ts';
import type { InputFile } from '../terminal/input-file.ts';
import { readRows, type TableRow } from './csv-and-sql.ts';

const SUBSCRIBERS = {
  table: 'subscriber',
  column: 'username',
  example: 'username,domain,password',
  layouts: [
    layout('ha1,ha1b'), // Kamailio 5 and 6
    layout('ha1,ha1_sha256,ha1_sha512t256'), // OpenSIPS 3.2 and later, without addresses
    layout('email_address,ha1,ha1b,rpid'), // Kamailio 4, OpenSIPS to 3.1
    layout('email_address,ha1,ha1_sha256,ha1_sha512t256,rpid'), // the same with them
  ],
};
const BATCH = 5000;
/** Skipped rows that are kept for display. */
const SKIPPED_SHOWN = 100;

export interface ImportReport {
  added: number;
  replaced: number;
  skipped: number;
  readonly domains: Set<string>;
  /** The first of the skipped rows. */
  readonly reasons: { readonly line: number; readonly reason: string }[];
}

export interface ImportOptions {
  /** Domain of rows without one. */
  readonly domain?: string;
  progress(bytes: number, users: number): void;
}

interface ImportUser {
  readonly name: string;
  readonly realm: string;
  readonly ha1s: Ha1Set;
  readonly aors?: readonly string[];
  readonly rules?: string;
}

function layout(behindPassword: string): string[] {
  return `id,username,domain,password,${behindPassword}`.split(',');
}

/** Destination of users. */
export type UserSink = Pick<UserStore, 'put'>;

/** A sink that counts and keeps nothing. @param store of present users */
export function countingSink(store: Pick<UserStore, 'get'> | undefined): UserSink {
  return {
    put(users) {
      const replaced = users.filter((user) => store?.get(user) !== undefined).length;
      return { added: users.length - replaced, replaced, refused: 0 };
    },
  };
}

/** Puts every sound row of the file into the sink. Throws a RowsError where the file is no list of users at all. */
export async function importUsers(sink: UserSink, file: InputFile, options: ImportOptions): Promise<ImportReport> {
  const report: ImportReport = { added: 0, replaced: 0, skipped: 0, domains: new Set(), reasons: [] };
  let batch: ImportUser[] = [];
  const lines = new Map<string, number>();
  let bytes = 0;
  /** Loaded when a row has rules: it loads the whole configuration. */
  let asText: typeof rulesText | undefined;
  const flush = () => {
    const counts = sink.put(batch, 'any');
    report.added += counts.added;
    report.replaced += counts.replaced;
    batch = [];
    options.progress(bytes, report.added + report.replaced);
  };
  for await (const row of readRows(file, SUBSCRIBERS, (read) => {
    bytes = read;
  })) {
    if (asText === undefined && row.fields.has('policy'))
      asText = (await import('../../server/config/user-rules.ts')).rulesText;
    const user = once(userOf(row, options.domain, asText), row.line, lines);
    if (typeof user !== 'string') {
      batch.push(user);
      report.domains.add(user.realm);
    } else {
      report.skipped++;
      if (report.reasons.length < SKIPPED_SHOWN) report.reasons.push({ line: row.line, reason: user });
    }
    if (batch.length >= BATCH) flush();
  }
  if (batch.length > 0) flush();
  return report;
}

/** Refuses the second of two rows about one user: the right one is unknown. */
function once(user: ImportUser | string, line: number, lines: Map<string, number>): ImportUser | string {
  if (typeof user === 'string') return user;
  const name = `${user.name}@${user.realm}`;
  const first = lines.get(name);
  if (first !== undefined) return `${name} stands in line ${first} already, which counts`;
  lines.set(name, line);
  return user;
}

/** The user of a row, or the reason why there is none. No reason contains a password or an HA1. */
function userOf(
  row: TableRow,
  defaultDomain: string | undefined,
  asText: typeof rulesText | undefined,
): ImportUser | string {
  if (row.broken !== undefined) return row.broken;
  const { fields } = row;
  const domain = fields.get('domain') ?? defaultDomain;
  if (domain === undefined) return 'no domain: name one for such rows with --domain';
  try {
    const { name, realm } = checkUserName(fields.get('username') ?? '', domain);
    const ha1s = ha1sOfRow(fields, name, realm, domain);
    if (typeof ha1s === 'string') return ha1s;
    const aors = fields.get('aors');
    const policy = fields.get('policy');
    return {
      name,
      realm,
      ha1s,
      ...(aors === undefined ? {} : { aors: aors.split(/\s+/).map(parseAor) }),
      ...(policy === undefined || asText === undefined ? {} : { rules: asText(policyIn(policy)) }),
    };
  } catch (error) {
    if (error instanceof RangeError) return error.message;
    throw error;
  }
}

function policyIn(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new RangeError('policy is not JSON');
  }
}

function ha1sOfRow(fields: ReadonlyMap<string, string>, name: string, realm: string, domain: string): Ha1Set | string {
  const given = givenHa1s((column) => fields.get(column));
  const bad = given.find(({ kind, hex }) => parseHa1(hex, kind) === undefined);
  if (bad !== undefined) return `${bad.column} is not ${2 * HA1_LENGTHS[bad.kind % HA1_FULL]} hex digits`;
  const password = fields.get('password');
  if (password !== undefined) {
    const made = ha1sOf(name, realm, password);
    if (given.length === 0 || areOf(given, made)) return made;
  }
  if (given.length === 0) return 'neither a password nor an HA1';
  if (domain !== realm)
    return `the domain ${domain} has capitals: its HA1s hold for that spelling only, not for ${realm}`;
  const ha1s: (Buffer | undefined)[] = Array.from({ length: HA1_KINDS });
  // Where two columns have an algorithm's HA1, the algorithm's own column counts.
  for (const { kind, hex } of given) ha1s[kind] = parseHa1(hex, kind);
  return ha1s;
}
