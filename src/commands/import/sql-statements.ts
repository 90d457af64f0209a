// Statements of a dump and their lists of values, as mysqldump, sqlite3 .dump and pg_dump --inserts write them.

/** Position after the string that opens at `at`; text.length + 1 where it does not end. */
export function quotedEnd(text: string, at: number): number {
  const quote = text[at];
  for (let i = at + 1; i < text.length; i++) {
    if (text[i] === '\\' && quote === "'") i++;
    else if (text[i] === quote) {
      if (text[i + 1] !== quote) return i + 1;
      i++;
    }
  }
  return text.length + 1;
}

/** Statements of a dump, without comments before them. Each must fit into memory. */
export async function* statements(stream: AsyncIterable<unknown>): AsyncGenerator<{ text: string; line: number }> {
  let rest = '';
  let line = 1;
  let scan: Scan = { at: 0, quote: '' };
  for await (const chunk of stream) {
    rest += String(chunk);
    for (;;) {
      if (scan.at === 0) {
        const skipped = /^(?:\s+|--[^\n]*\n|#[^\n]*\n|\/\*[\s\S]*?\*\/;?)+/.exec(rest);
        line += newlines(skipped?.[0] ?? '');
        rest = rest.slice(skipped?.[0].length ?? 0);
        if (/^(?:-$|--|#|\/\*|\/$)/.test(rest)) break; // a comment whose end has not been read yet
      }
      scan = scanStatement(rest, scan);
      if (!scan.ended) break;
      const text = rest.slice(0, scan.at);
      yield { text, line };
      line += newlines(text);
      rest = rest.slice(scan.at + 1);
      scan = { at: 0, quote: '' };
    }
  }
  if (rest.trim() !== '') yield { text: rest, line };
}

/** State of the search for a statement's end: its position, and the quote around it. */
interface Scan {
  readonly at: number;
  readonly quote: string;
  readonly ended?: boolean;
}

/** Searches on to the semicolon or the end of the text. A doubled quote closes and opens, which has the same effect. */
function scanStatement(text: string, from: Scan): Scan {
  let { at, quote } = from;
  for (; at < text.length; at++) {
    const c = text[at];
    if (quote === '') {
      if (c === ';') return { at, quote, ended: true };
      if (c === "'" || c === '"' || c === '`') quote = c;
    } else if (c === '\\' && quote === "'") {
      if (at + 1 === text.length) return { at, quote };
      at++;
    } else if (c === quote) quote = '';
  }
  return { at, quote };
}

function newlines(text: string): number {
  let n = 0;
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) n++;
  return n;
}

interface Tuple {
  readonly line: number;
  readonly values: (string | null)[];
  readonly broken?: string;
}

/** The parenthesised lists after VALUES. */
export function* tuples(text: string, from: number, firstLine: number): Generator<Tuple> {
  let line = firstLine + newlines(text.slice(0, from));
  let i = from;
  while (i < text.length) {
    if (text[i] === '\n') line++;
    if (text[i] !== '(') {
      i++;
      continue;
    }
    const values: (string | null)[] = [];
    const start = i;
    i++;
    while (i < text.length && text[i] !== ')') {
      const value = VALUE.exec(text.slice(i, i + VALUE_HEAD));
      if (text[i] === "'") {
        const end = quotedEnd(text, i);
        values.push(unquote(text.slice(i + 1, end - 1)));
        i = end;
      } else if (value !== null) {
        values.push(/^NULL$/i.test(value[0]) ? null : value[0]);
        i += value[0].length;
      } else if (/[\s,]/.test(text[i])) i++;
      else {
        yield { line, values, broken: 'the list of values cannot be read' };
        return;
      }
    }
    if (text[i] !== ')') {
      yield { line, values, broken: 'the list of values does not end' };
      return;
    }
    i++;
    yield { line, values };
    line += newlines(text.slice(start, i));
  }
}

const VALUE = /^[\w.+-]+/;
const VALUE_HEAD = 40;
const ESCAPES: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', '0': '\0', Z: '\u001a', b: '\b' };

function unquote(text: string): string {
  if (!text.includes('\\') && !text.includes("''")) return text;
  return text.replace(/\\([\s\S])|''/g, (_, escaped: string | undefined) =>
    escaped === undefined ? "'" : (ESCAPES[escaped] ?? escaped),
  );
}
