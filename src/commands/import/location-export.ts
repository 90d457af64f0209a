// A binding as a row of another registrar's table `location`: Kamailio's, OpenSIPS's, or a CSV with the same content. The counterpart of
// location-import; the command has the rows' source and destination.

import type { Binding } from '../../core/binding/binding-view.ts';
import { contactText, placeOf } from './contact-text.ts';
import { csvField } from './csv-field.ts';
import { beginning, type Database, END, insertion, type SqlValue } from './sql-text.ts';
import { dateIn } from './time-zone.ts';

export type ExportFormat = 'kamailio' | 'opensips' | 'csv';

export interface ExportContext {
  readonly format: ExportFormat;
  readonly database: Database;
  /** Zone of Kamailio's local dates, in the form of zoneOf. */
  readonly zone: number | undefined;
}

/** A binding from the API: JSON has no Infinity. */
export type ExportedBinding = Omit<Binding, 'expires'> & { readonly expires: number | null };

type Row = Readonly<Record<string, SqlValue>>;

const JULIAN_1970 = 2_440_587.5;
/** Widths of the columns in the projects' own scripts. */
const WIDTHS: Readonly<Record<string, number>> = { username: 64, domain: 64, contact: 512, path: 512, callid: 255 };
const USER_AGENT_WIDTH = 255;
const COLUMNS: Readonly<Record<ExportFormat, readonly string[]>> = {
  kamailio: (
    'ruid username domain contact received path expires q callid cseq last_modified flags cflags user_agent ' +
    'instance reg_id server_id connection_id keepalive partition'
  ).split(' '),
  opensips:
    'username domain contact received path expires q callid cseq last_modified flags user_agent sip_instance'.split(
      ' ',
    ),
  csv: 'username domain contact received path expires q callid cseq user_agent instance reg_id'.split(' '),
};

/** Text before the rows. */
export function headOf({ format, database }: ExportContext): string {
  if (format === 'csv') return `${COLUMNS.csv.join(',')}\n`;
  return beginning(database);
}

export function tailOf({ format }: ExportContext): string {
  return format === 'csv' ? '' : END;
}

/** The row with its line end, or the reason why there is none. @param sequence differs between rows */
export function rowOf(
  aor: string,
  binding: ExportedBinding,
  sequence: number,
  context: ExportContext,
): string | { reason: string } {
  const reason = leftOut(aor, binding);
  if (reason !== undefined) return { reason };
  const row = columnsOf(aor, binding, sequence, context);
  for (const [name, width] of Object.entries(WIDTHS)) {
    const value = row[name];
    if (typeof value === 'string' && value.length > width)
      return { reason: `its ${name} has ${value.length} characters, and the column ${width}` };
  }
  return context.format === 'csv' ? csvLine(row) : insertOf(row, context);
}

function leftOut(aor: string, { uri, expires, static: isStatic, source, path }: ExportedBinding): string | undefined {
  if (isStatic || expires === null) return 'static: it is no registration';
  if (expires <= 0) return 'expired';
  if (!/^sips?:/i.test(uri)) return `no SIP URI: ${uri}`;
  if (!aor.includes('@')) return 'no user';
  if (source.transport !== 'udp' && path.length === 0)
    return `over ${source.transport}, and the connection stays here: the phone registers anew by itself`;
  return undefined;
}

function columnsOf(aor: string, binding: ExportedBinding, sequence: number, context: ExportContext): Row {
  const at = aor.lastIndexOf('@');
  const instance = binding.instance === undefined ? null : `<${binding.instance}>`;
  return {
    ruid: `aorta-${binding.registeredAt.toString(16)}-${sequence.toString(16)}`,
    username: aor.slice(0, at),
    domain: aor.slice(at + 1),
    contact: binding.uri,
    received: receivedOf(binding),
    path: binding.path.length === 0 ? null : binding.path.join(','),
    expires: momentOf(binding.expiresAt, context),
    q: binding.q,
    callid: binding.callId,
    cseq: binding.cseq,
    last_modified: momentOf(binding.refreshedAt, {
      ...context,
      format: context.format === 'opensips' ? 'kamailio' : context.format,
    }),
    flags: 0,
    cflags: 0,
    user_agent: (binding.userAgent ?? '').slice(0, USER_AGENT_WIDTH),
    instance,
    sip_instance: instance,
    reg_id: binding.regId ?? 0,
    server_id: 0,
    connection_id: 0,
    keepalive: 0,
    partition: 0,
  };
}

/** The source of the phone's requests, unless it is its contact or the first proxy of its Path. */
function receivedOf({ path, source, received, uri }: ExportedBinding): string | null {
  if (received === '') return null;
  const isSource = (one: string) => {
    const place = placeOf(contactText(one).uri);
    return place?.host === source.address && place.port === source.port;
  };
  return [uri, ...path].some(isSource) ? null : received.replace(/;transport=udp$/, '');
}

/** OpenSIPS and CSV: seconds since 1970. Kamailio: a date in local time, or, in SQLite, a Julian day of UTC. */
function momentOf(ms: number, { format, database, zone }: ExportContext): SqlValue {
  if (format !== 'kamailio') return Math.floor(ms / 1000);
  if (database === 'sqlite') return ms / 86_400_000 + JULIAN_1970;
  return dateIn(zone, ms).replace('T', ' ');
}

function insertOf(row: Row, { format, database }: ExportContext): string {
  const columns = COLUMNS[format];
  const names = columns.map((name) => (database === 'mysql' && name === 'partition' ? '`partition`' : name));
  const values = columns.map((name) => row[name]);
  return insertion('location', names, values, database);
}

function csvLine(row: Row): string {
  return `${COLUMNS.csv.map((name) => (row[name] === null ? '' : csvField(String(row[name])))).join(',')}\n`;
}
