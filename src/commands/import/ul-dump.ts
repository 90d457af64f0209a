// Bindings in the output of `kamcmd ul.dump`: nested blocks of "Name: value" lines. They become rows like those of the
// table `location`, so that one importer reads both.

import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import type { InputFile } from '../terminal/input-file.ts';
import type { TableRow } from './csv-and-sql.ts';

/** Names in the dump, and the table's columns of the same meaning. */
const COLUMNS: Readonly<Record<string, string>> = {
  Address: 'contact',
  Expires: 'expires_in',
  Q: 'q',
  'Call-ID': 'callid',
  CSeq: 'cseq',
  'User-Agent': 'user_agent',
  Received: 'received',
  Path: 'path',
  Socket: 'socket',
  Instance: 'instance',
  'Reg-Id': 'reg_id',
  Flags: 'flags',
  CFlags: 'cflags',
  Methods: 'methods',
};

/** Whether a file starts like a dump. */
export function looksLikeUlDump(head: string): boolean {
  return /^\s*\{\s*Domains?:\s*\{/.test(head);
}

/** One row per contact. @param progress is told the bytes read so far */
export async function* readUlDump(file: InputFile, progress: (bytes: number) => void): AsyncGenerator<TableRow> {
  const stream = Readable.from(file.text(progress));
  let line = 0;
  let aor = '';
  let contact: Map<string, string> | undefined;
  let contactLine = 0;
  for await (const text of createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY })) {
    line++;
    const trimmed = text.trim();
    if (trimmed === '}' && contact !== undefined) {
      yield { line: contactLine, fields: contact };
      contact = undefined;
      continue;
    }
    const [, name, value] = /^([\w-]+):\s?(.*)$/.exec(trimmed) ?? [];
    if (name === 'AoR') aor = value;
    else if (name === 'Contact' && value === '{') {
      contact = new Map([['aor', aor]]);
      contactLine = line;
    } else if (contact !== undefined && name in COLUMNS && value !== '' && value !== '[not set]') {
      contact.set(COLUMNS[name], value);
    }
  }
  if (contact !== undefined)
    yield { line: contactLine, fields: new Map(), broken: 'the dump ends inside this contact' };
}
