// Bindings of Flexisip, from its Redis: a hash per user, a field per contact. As text: the key, then fields and values in
// turn, in the output of `redis-cli --raw`.

import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import type { InputFile } from '../terminal/input-file.ts';
import { contactText, paramOf, unescaped, withoutParams } from './contact-text.ts';
import type { TableRow } from './csv-and-sql.ts';

const KEY = /^fs:(\S+@\S+)$/;
const OWN_PARAMS = ['fs-conn-id', 'callid', 'expires', 'cseq', 'updatedat', 'alias', 'usedasroute'];

export function looksLikeFlexisip(head: string): boolean {
  return KEY.test(head.split(/\r?\n/, 1)[0]);
}

/** One row per contact. */
export async function* readFlexisip(file: InputFile, progress: (bytes: number) => void): AsyncGenerator<TableRow> {
  let line = 0;
  let aor: string | undefined;
  let isValue = false;
  for await (const text of createInterface({ input: Readable.from(file.text(progress)) })) {
    line++;
    const [, name] = (!isValue && KEY.exec(text)) || [];
    if (name !== undefined) aor = name;
    else if (aor === undefined || text === '') continue;
    else if (isValue) {
      yield ofContact(line, aor, text);
      isValue = false;
    } else isValue = true; // the field: a unique ID, which the contact has, too
  }
}

function ofContact(line: number, aor: string, text: string): TableRow {
  const { uri, params } = contactText(text);
  if (/yes/i.test(paramOf(uri, 'alias') ?? '')) return { line, fields: new Map(), rule: 'an alias of another user' };
  const own = (name: string) => unescaped(paramOf(uri, name) ?? '');
  const [contact, headers = ''] = withoutParams(uri, OWN_PARAMS).split(/\?(.*)/s);
  const header = (name: string) =>
    unescaped(new RegExp(`(?:^|&)${name}=([^&]*)`, 'i').exec(headers)?.[1].replaceAll('+', '%20') ?? '');
  const fields = {
    aor,
    contact,
    // The interval counts from the last refresh.
    expires: String(Number(own('updatedAt')) + Number(own('expires'))),
    callid: own('callid'),
    cseq: own('cseq'),
    path: header('path'),
    user_agent: header('user-agent'),
    q: paramOf(params, 'q') ?? '',
    instance: paramOf(params, '+sip.instance') ?? '',
    reg_id: paramOf(params, 'reg-id') ?? '',
  };
  return { line, fields: new Map(Object.entries(fields).filter(([, value]) => value !== '')) };
}
