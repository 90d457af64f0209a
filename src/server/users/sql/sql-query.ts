// The query of a SQL provider: a text with {user} and {realm}. The server gets their values separately, so that no user name is
// ever read as SQL.

import type { UserName } from '../../../users/user-name.ts';
import { expected, hint } from '../../config/rows/kinds.ts';

type Placeholder = 'user' | 'realm';

export interface SqlQuery {
  /** The text around the placeholders: one piece more than there are placeholders. */
  readonly pieces: readonly string[];
  readonly placeholders: readonly Placeholder[];
}

/** Reads the table of Kamailio and OpenSIPS unchanged, with all its columns. */
export const SUBSCRIBER_QUERY = 'SELECT * FROM subscriber WHERE username = {user} AND domain = {realm}';

const PLACEHOLDERS: readonly Placeholder[] = ['user', 'realm'];
/** A quote, or a name in braces. */
const MARK = /['"`]|\{([^{}'"`]*)\}/g;

/** @throws RangeError */
export function parseSqlQuery(text: string): SqlQuery {
  const pieces: string[] = [];
  const placeholders: Placeholder[] = [];
  let quote = '';
  let from = 0;
  for (const { 0: mark, 1: name, index } of text.matchAll(MARK)) {
    if (name === undefined) {
      if (quote === '') quote = mark;
      else if (quote === mark) quote = '';
      continue;
    }
    const placeholder = PLACEHOLDERS.find((known) => known === name);
    if (quote !== '') {
      if (placeholder !== undefined)
        throw new RangeError(`${mark} stands in quotes: it is a whole value, without quotes`);
      continue;
    }
    if (placeholder === undefined) throw new RangeError(`knows no ${mark}${hint(name, PLACEHOLDERS)}`);
    pieces.push(text.slice(from, index));
    placeholders.push(placeholder);
    from = index + mark.length;
  }
  if (!placeholders.includes('user')) throw new RangeError(expected('a query with {user} in it', text));
  pieces.push(text.slice(from).replace(/[\s;]+$/, ''));
  return { pieces, placeholders };
}

/** @param mark the protocol's name of the nth value, from 1 */
export function queryText({ pieces }: SqlQuery, mark: (n: number) => string): string {
  return pieces.reduce((text, piece, n) => text + mark(n) + piece);
}

export function queryValues({ placeholders }: SqlQuery, { name, realm }: UserName): string[] {
  return placeholders.map((placeholder) => (placeholder === 'user' ? name : realm));
}
