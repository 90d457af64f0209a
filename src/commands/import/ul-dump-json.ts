// Bindings as JSON: the answer to Kamailio's ul.dump by JSON-RPC, which returns tables of any size where kamcmd stops at some
// hundred contacts, and OpenSIPS's usrloc:dump. The two differ in the spelling of names, and in wrappers.

import type { InputFile } from '../terminal/input-file.ts';
import { RowsError } from '../terminal/input-file.ts';
import type { TableRow } from './csv-and-sql.ts';

/** Names in lower case, and the table's columns of the same meaning. */
const COLUMNS: Readonly<Record<string, string>> = {
  address: 'contact',
  contact: 'contact',
  expires: 'expires_in',
  q: 'q',
  'call-id': 'callid',
  callid: 'callid',
  cseq: 'cseq',
  'user-agent': 'user_agent',
  received: 'received',
  path: 'path',
  instance: 'instance',
  sip_instance: 'instance',
  'reg-id': 'reg_id',
};

export function looksLikeJson(head: string): boolean {
  return /^\s*[{[]\s*(["{[]|$)/.test(head);
}

/** One row per contact; its line is its number in the file. @throws RowsError where the file is no such dump */
export async function* readUlDumpJson(file: InputFile, progress: (bytes: number) => void): AsyncGenerator<TableRow> {
  let text = '';
  for await (const piece of file.text(progress)) text += piece;
  let all: unknown;
  try {
    all = JSON.parse(text);
  } catch (error) {
    throw new RowsError(`no JSON: ${(error as Error).message.replace(/, ".*/s, '')}`);
  }
  let number = 0;
  for (const { aor, contact } of contactsOf(all)) yield rowOf(++number, aor, contact);
  if (number === 0 && !/"domains"/i.test(text))
    throw new RowsError('no "Domains" in it: save the whole answer to ul.dump');
}

type Named = Readonly<Record<string, unknown>>;

/** Each object with the name of an AOR and contacts, at any depth. */
function* contactsOf(node: unknown): Generator<{ aor: string; contact: Named }> {
  if (Array.isArray(node)) for (const one of node) yield* contactsOf(one);
  else if (typeof node === 'object' && node !== null) {
    const fields = lowerCase(node);
    if (typeof fields.aor === 'string' && Array.isArray(fields.contacts)) {
      for (const entry of fields.contacts) {
        const contact = lowerCase(entry);
        const wrapped = typeof contact.contact === 'object' ? lowerCase(contact.contact) : contact;
        yield { aor: fields.aor, contact: wrapped };
      }
    } else for (const value of Object.values(node)) yield* contactsOf(value);
  }
}

function lowerCase(node: unknown): Named {
  return Object.fromEntries(Object.entries(Object(node)).map(([name, value]) => [name.toLowerCase(), value]));
}

function rowOf(line: number, aor: string, contact: Named): TableRow {
  const fields = new Map([['aor', aor]]);
  for (const [name, value] of Object.entries(contact)) {
    const column = COLUMNS[name];
    const text = typeof value === 'number' || typeof value === 'string' ? String(value) : '';
    if (column === undefined || text === '' || text === '[not set]') continue;
    if (column === 'q' && Number(text) < 0) continue; // none was given
    // OpenSIPS: 0 for ever
    fields.set(column, column === 'expires_in' && text === '0' ? 'permanent' : text);
  }
  return { line, fields };
}
