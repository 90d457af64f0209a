// A user as a row for others: of the CSV file that `aorta user import` reads, or of the table `subscriber` of Kamailio and OpenSIPS.

import { HA1_COLUMNS } from '../../users/ha1.ts';
import type { User } from '../../users/stored-user.ts';
import { HA1_FULL, HA1_KINDS } from '../../users/user-record.ts';
import { csvField } from './csv-field.ts';
import { beginning, type Database, END, insertion } from './sql-text.ts';

type UserFormat = 'csv' | 'kamailio' | 'opensips';
export const USER_FORMATS: readonly UserFormat[] = ['csv', 'kamailio', 'opensips'];

export interface UserExport {
  readonly format: UserFormat;
  readonly database: Database;
}

/** ha1, ha1b, ha1_sha256, … */
const CSV_KINDS = Array.from({ length: HA1_KINDS }, (_, i) => (i >> 1) + (i & 1) * HA1_FULL);
/** Columns of the table in the project's own script, and the HA1 in each. */
const TABLE_KINDS: Readonly<Record<'kamailio' | 'opensips', Readonly<Record<string, number>>>> = {
  kamailio: { ha1: 0, ha1b: HA1_FULL },
  opensips: { ha1: 0, ha1_sha256: 1, ha1_sha512t256: 2 },
};
/** HA1s of users by number of kind, in hex; '' where there is none. */
const hexOf = ({ ha1s }: User, kind: number): string => ha1s[kind]?.toString('hex') ?? '';

/** Text before the rows. */
export function userHead({ format, database }: UserExport): string {
  if (format !== 'csv') return beginning(database);
  return `username,domain,${CSV_KINDS.map((kind) => HA1_COLUMNS[kind][0]).join(',')},aors,policy\n`;
}

export function userTail({ format }: UserExport): string {
  return format === 'csv' ? '' : END;
}

/** The row with its line end; undefined where the table has no column for any of the user's HA1s. */
export async function userRow(user: User, { format, database }: UserExport): Promise<string | undefined> {
  if (format === 'csv') return csvRow(user);
  const kinds = TABLE_KINDS[format];
  const hashes = Object.values(kinds).map((kind) => hexOf(user, kind));
  if (hashes.every((hash) => hash === '')) return undefined;
  const names = ['username', 'domain', 'password', ...Object.keys(kinds)];
  return insertion('subscriber', names, [user.name, user.realm, '', ...hashes], database);
}

async function csvRow(user: User): Promise<string> {
  const policy = user.rules ? await policyOf(user.rules) : '';
  const hashes = CSV_KINDS.map((kind) => hexOf(user, kind));
  const fields = [csvField(user.name), user.realm, ...hashes, csvField(user.aors.join(' ')), csvField(policy)];
  return `${fields.join(',')}\n`;
}

/** Loaded when needed: few users have rules, and their reader loads the whole configuration. */
async function policyOf(rules: string): Promise<string> {
  const { shownRules } = await import('../../server/config/user-rules.ts');
  return JSON.stringify(shownRules(rules));
}
