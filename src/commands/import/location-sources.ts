// The registrar that a file of bindings is from. Each kind is recognized by the beginning of the file, and becomes rows with the columns
// of Kamailio's table `location`, so that one importer reads all.

import type { InputFile } from '../terminal/input-file.ts';
import { astdbRow, looksLikeAstdb, psContactRow, readAstdb } from './asterisk-contacts.ts';
import { readRows, type TableKind, type TableRow } from './csv-and-sql.ts';
import { looksLikeFlexisip, readFlexisip } from './flexisip-contacts.ts';
import { coreRegistrationRow, sofiaRegistrationRow } from './freeswitch-registrations.ts';
import { looksLikeUlDump, readUlDump } from './ul-dump.ts';
import { looksLikeJson, readUlDumpJson } from './ul-dump-json.ts';

const HEAD_BYTES = 64 << 10;

type Translate = (row: TableRow) => TableRow;

/** Other tables beside `location`, with the column that identifies a CSV file. */
const TABLES: readonly (TableKind & { readonly translate: Translate })[] = [
  { table: 'ps_contacts', column: 'expiration_time', example: 'id,uri,expiration_time,path', translate: psContactRow },
  { table: 'astdb', column: 'value', example: 'key,value', translate: astdbRow },
  {
    table: 'sip_registrations',
    column: 'sip_user',
    example: 'call_id,sip_user,sip_host,contact,expires,network_ip,network_port',
    translate: sofiaRegistrationRow,
  },
  {
    table: 'registrations',
    column: 'reg_user',
    example: 'reg_user,realm,token,url,expires,network_ip,network_port,network_proto',
    translate: coreRegistrationRow,
  },
];
const LOCATION = { table: 'location', column: 'contact', example: 'username,domain,contact,expires,callid,cseq' };

/** One row per binding. @param progress is told the bytes read so far */
export async function readLocations(
  file: InputFile,
  progress: (bytes: number) => void,
): Promise<AsyncGenerator<TableRow> | Generator<TableRow>> {
  const head = await file.head(HEAD_BYTES);
  if (looksLikeUlDump(head)) return readUlDump(file, progress);
  if (looksLikeJson(head)) return readUlDumpJson(file, progress);
  if (looksLikeAstdb(head)) return readAstdb(file, progress);
  if (looksLikeFlexisip(head)) return readFlexisip(file, progress);
  const kind = TABLES.find((table) => isOf(head, table));
  return kind === undefined
    ? readRows(file, LOCATION, progress)
    : translated(readRows(file, kind, progress), kind.translate);
}

function isOf(head: string, { table, column }: TableKind): boolean {
  const columns = head
    .split(/\r?\n/, 1)[0]
    .toLowerCase()
    .split(/[,;\t]/);
  if (columns.map((name) => name.replace(/^\ufeff|["\s]/g, '')).includes(column)) return true;
  return new RegExp(String.raw`^(?:CREATE TABLE|INSERT INTO)\s+(?:IF NOT EXISTS\s+)?[^\s(]*?\b${table}\b`, 'im').test(
    head,
  );
}

async function* translated(rows: AsyncGenerator<TableRow>, translate: Translate): AsyncGenerator<TableRow> {
  for await (const row of rows) yield row.broken === undefined ? translate(row) : row;
}
