// Rows of a table from files: CSV with a header row, or SQL as mysqldump, sqlite3 .dump and pg_dump --inserts write it.
// A row is a list of fields by column name with its line; the importers interpret the columns.

import { Readable } from 'node:stream';
import { parse } from 'csv-parse';
import { type InputFile, RowsError } from '../terminal/input-file.ts';
import { fromCsvField } from './csv-field.ts';
import { quotedEnd, statements, tuples } from './sql-statements.ts';

export interface TableRow {
  /** Line in the file, from 1. */
  readonly line: number;
  /** Fields by column name in lower case, without absent and NULL ones. */
  readonly fields: ReadonlyMap<string, string>;
  /** Why the row cannot be read. */
  readonly broken?: string;
  /** Why it is left out although it is sound. */
  readonly rule?: string;
}

const HEAD_BYTES = 64 << 10;

/** The wanted table. */
export interface TableKind {
  /** Name of the table in SQL. */
  readonly table: string;
  /** A column that each CSV file of this kind has, and an example of the first line. */
  readonly column: string;
  readonly example: string;
  /** Columns of the table in the registrars' own scripts, each layout of another length: for dumps without column names. */
  readonly layouts?: readonly (readonly string[])[];
}

/** Rows of a file. @param progress is told the bytes read so far */
export async function* readRows(
  file: InputFile,
  kind: TableKind,
  progress: (bytes: number) => void,
): AsyncGenerator<TableRow> {
  const head = await file.head(HEAD_BYTES);
  const text = file.text(progress);
  if (looksLikeSql(head)) yield* sqlRows(text, kind);
  else yield* csvRows(text, head, kind);
}

function looksLikeSql(head: string): boolean {
  return /^\s*(--|\/\*|SET |PRAGMA |START |BEGIN|CREATE |DROP |LOCK |INSERT )/i.test(head);
}

/** Replaces the parser's own message, which quotes the field: it may be a password. */
function csvReason(code: string | undefined): string {
  switch (code) {
    case 'INVALID_OPENING_QUOTE': // as csv-parse 7 calls it
    case 'CSV_INVALID_OPENING_QUOTE':
      return 'a quote inside a field: put the field in quotes and double the quote';
    case 'CSV_INVALID_CLOSING_QUOTE':
    case 'CSV_NON_TRIMABLE_CHAR_AFTER_CLOSING_QUOTE':
      return 'text after a closing quote: double the quotes inside a field';
    case 'CSV_QUOTE_NOT_CLOSED':
      return 'a quote that opens and does not close';
    case 'CSV_MAX_RECORD_SIZE':
      return 'longer than a row may be';
    default:
      return 'not to be read as CSV';
  }
}

async function* csvRows(text: AsyncIterable<string>, head: string, kind: TableKind): AsyncGenerator<TableRow> {
  const first = head.split(/\r?\n/, 1)[0];
  const delimiter = [';', '\t'].find((mark) => first.includes(mark) && !first.includes(',')) ?? ',';
  const broken: TableRow[] = [];
  const stream = Readable.from(text);
  const parser = stream.pipe(
    parse({
      bom: true,
      delimiter,
      relax_column_count: true,
      skip_empty_lines: true,
      skip_records_with_error: true,
      info: true,
      trim: true,
      max_record_size: 1 << 20,
      on_skip: (error) => {
        broken.push({ line: Number(error?.lines ?? 0), fields: new Map(), broken: csvReason(error?.code) });
      },
    }),
  );
  stream.on('error', (error) => parser.destroy(error));
  let columns: readonly string[] | undefined;
  for await (const { record, info } of parser as AsyncIterable<{ record: string[]; info: { lines: number } }>) {
    yield* broken.splice(0);
    if (columns === undefined) {
      columns = record.map((name) => name.toLowerCase());
      if (!columns.includes(kind.column)) {
        throw new RowsError(
          `line 1 names no column "${kind.column}": the first line must name the columns, such as ${kind.example}`,
        );
      }
      continue;
    }
    yield rowOf(columns, record.map(fromCsvField), info.lines);
  }
  yield* broken;
  if (columns === undefined) throw new RowsError('the file is empty: its first line names the columns');
}

function rowOf(columns: readonly string[], values: readonly (string | null)[], line: number): TableRow {
  if (values.length !== columns.length) {
    return { line, fields: new Map(), broken: `${values.length} fields, expected ${columns.length}` };
  }
  const fields = new Map<string, string>();
  columns.forEach((name, i) => {
    const value = values[i];
    if (value !== null && value !== '' && value !== '\\N') fields.set(name, value);
  });
  return { line, fields };
}

async function* sqlRows(stream: AsyncIterable<unknown>, kind: TableKind): AsyncGenerator<TableRow> {
  const { table, layouts = [] } = kind;
  let columns: readonly string[] | undefined;
  let found = false;
  const name = String.raw`(?:[\`"]?\w+[\`"]?\.)?[\`"]?${table}[\`"]?\s*`;
  const create = new RegExp(String.raw`^CREATE TABLE\s+(?:IF NOT EXISTS\s+)?${name}\(`, 'i');
  const insertInto = new RegExp(
    String.raw`^(?:INSERT|REPLACE)\s+(?:IGNORE\s+)?INTO\s+${name}(?:\(([^)]*)\)\s*)?VALUES\s*`,
    'i',
  );
  for await (const { text, line } of statements(stream)) {
    const created = create.exec(text);
    if (created !== null) columns = columnsOf(text.slice(created[0].length));
    const insert = insertInto.exec(text);
    if (insert === null) continue;
    found = true;
    const named = insert[1] === undefined ? columns : insert[1].split(',').map(bareName);
    for (const tuple of tuples(text, insert[0].length, line)) {
      if (tuple.broken === undefined) {
        const { values, line } = tuple;
        yield rowOf(named ?? layoutOf(layouts, values.length, line), values, line);
      } else yield { ...tuple, fields: new Map() };
    }
  }
  if (!found) throw new RowsError(`no "INSERT INTO ${table}" in it: dump that table, with pg_dump add --inserts`);
}

/** The layout with so many columns. */
function layoutOf(layouts: readonly (readonly string[])[], width: number, line: number): readonly string[] {
  const found = layouts.find(({ length }) => length === width);
  if (found !== undefined) return found;
  throw new RowsError(
    `line ${line}: the INSERT names none of its ${width} columns, and no CREATE TABLE does: dump with the table's structure, or with --complete-insert`,
  );
}

function bareName(name: string): string {
  return name.trim().replace(/[`"]/g, '').toLowerCase();
}

/** Column names of a CREATE TABLE, after its parenthesis. */
function columnsOf(body: string): string[] {
  const names: string[] = [];
  let depth = 0;
  let start = 0;
  const addName = (end: number) => {
    const name = /^\s*(?:[`"](\w+)[`"]|(\w+))/.exec(body.slice(start, end));
    const word = name?.[1] ?? name?.[2] ?? '';
    const isColumn = name?.[1] !== undefined || !/^(PRIMARY|UNIQUE|KEY|INDEX|CONSTRAINT|FULLTEXT|CHECK)$/i.test(word);
    // `key VARCHAR(256)` is a column, `KEY name (column)` an index.
    if (word !== '' && (isColumn || /^\s*key\s+\w+\s*\(\s*\d/i.test(body.slice(start, end))))
      names.push(word.toLowerCase());
  };
  for (let i = 0; i < body.length; i++) {
    if (body[i] === "'") i = quotedEnd(body, i) - 1;
    else if (body[i] === '(') depth++;
    else if (body[i] === ')' && --depth < 0) {
      addName(i);
      break;
    } else if (body[i] === ',' && depth === 0) {
      addName(i);
      start = i + 1;
    }
  }
  return names;
}
