// Contacts of Asterisk: of res_pjsip in its own database (`database show`, or the table in astdb.sqlite3) or in ps_contacts, and of
// chan_sip in its own database. Asterisk keeps no CSeq, and a domain only where a name has one.

import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import type { InputFile } from '../terminal/input-file.ts';
import { paramOf, placeOf, uriOfPlace, withoutParams } from './contact-text.ts';
import type { TableRow } from './csv-and-sql.ts';

const LINE = /^(\/\S+)\s*: (.*)$/;
const PJSIP = '/registrar/contact/';
const CHAN_SIP = '/SIP/Registry/';

export function looksLikeAstdb(head: string): boolean {
  return /^\/(registrar|SIP)\/\S+\s*: /m.test(head);
}

/** Reads lines of `asterisk -rx "database show"`; other families are skipped. */
export async function* readAstdb(file: InputFile, progress: (bytes: number) => void): AsyncGenerator<TableRow> {
  let line = 0;
  for await (const text of createInterface({ input: Readable.from(file.text(progress)) })) {
    line++;
    const [, key, value] = LINE.exec(text.trimEnd()) ?? [];
    if (key?.startsWith(PJSIP) || key?.startsWith(CHAN_SIP)) yield ofEntry(line, key, value);
  }
}

/** A row of the table in astdb.sqlite3. */
export function astdbRow({ line, fields }: TableRow): TableRow {
  const key = fields.get('key') ?? '';
  if (key.startsWith(PJSIP) || key.startsWith(CHAN_SIP)) return ofEntry(line, key, fields.get('value') ?? '');
  return { line, fields: new Map(), rule: 'no registration' };
}

/** A row of ps_contacts. */
export function psContactRow({ line, fields }: TableRow): TableRow {
  return ofContact(line, fields.get('id') ?? '', fields);
}

function ofEntry(line: number, key: string, value: string): TableRow {
  if (key.startsWith(CHAN_SIP)) return ofChanSip(line, key.slice(CHAN_SIP.length), value);
  let contact: unknown;
  try {
    contact = JSON.parse(value);
  } catch {
    return { line, fields: new Map(), broken: 'the entry is no JSON' };
  }
  const fields = Object.entries(Object(contact)).filter(([, text]) => text !== '');
  return ofContact(line, key.slice(PJSIP.length), new Map(fields.map(([name, text]) => [name, String(text)])));
}

/** @param id `alice;@` and a hash, or the contact */
function ofContact(line: number, id: string, contact: ReadonlyMap<string, string>): TableRow {
  const uri = decoded(contact.get('uri') ?? '');
  const fields = new Map([
    ['aor', decoded(id).split(';@', 1)[0]],
    ...asRegistered(uri),
    ['expires', contact.get('expiration_time') ?? ''],
  ]);
  for (const [column, name] of Object.entries({ path: 'path', callid: 'call_id', user_agent: 'user_agent' })) {
    const value = contact.get(name);
    if (value !== undefined) fields.set(column, decoded(value));
  }
  return { line, fields };
}

/** The contact that the phone registered, and its source: with `rewrite_contact` the source has replaced the contact. */
function asRegistered(uri: string): [string, string][] {
  const original = paramOf(uri, 'x-ast-orig-host');
  const place = placeOf(uri);
  const bare = withoutParams(uri, ['x-ast-orig-host']);
  if (original === undefined || place === undefined) return [['contact', bare]];
  const registered = bare.replace(
    /^(sips?:(?:[^@]*@)?)(\[[^\]]*\]|[^:;?]+)(:\d+)?/i,
    (_, head) => `${head}${original}`,
  );
  return [
    ['contact', registered],
    ['received', uriOfPlace(place.host, place.port, paramOf(bare, 'transport')?.toLowerCase())],
  ];
}

/** `192.0.2.4:5060:3600:alice:sip:alice@192.0.2.4:5060`; its interval begins again, as after a restart of Asterisk. */
function ofChanSip(line: number, name: string, value: string): TableRow {
  const [, address, port, seconds, contact] = /^(\[[^\]]*\]|[^:]*):(\d+):(\d+):[^:]*:(sips?:.*)$/.exec(value) ?? [];
  if (contact === undefined) return { line, fields: new Map(), broken: 'the entry is no registration' };
  const received = uriOfPlace(address.replace(/^\[|\]$/g, ''), port);
  return { line, fields: new Map(Object.entries({ aor: name, contact, received, expires_in: seconds })) };
}

/** Asterisk writes ";" as "^3B" where it would end a value. */
function decoded(text: string): string {
  return text.replace(/\^([0-9A-F]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}
