// Fields of exported CSV files, as spreadsheets and as imports read them.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'csv-parse/sync';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { csvField, fromCsvField } from '../../src/commands/import/csv-field.ts';
import { removeDirectories, temporaryDirectory } from '../support/aorta-process.ts';
import { aortaUser } from '../support/login-client.ts';

afterAll(removeDirectories);

const FORMULA = /^[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]/;
const piece = fc.constantFrom(
  '=',
  '+',
  '-',
  '@',
  '\t',
  '\r',
  '\n',
  "'",
  '"',
  ',',
  ';',
  '|',
  ' ',
  '＝',
  'a',
  '1',
  '\\',
  '=cmd()',
);
const text = fc.oneof(
  fc.string(),
  fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join('')),
);

describe('a field', () => {
  it('is read back unchanged', () => {
    fc.assert(
      fc.property(fc.array(text, { minLength: 1, maxLength: 4 }), (fields) => {
        const [row] = parse(`${fields.map(csvField).join(',')},end\n`, { trim: true }) as string[][];
        expect(row.map(fromCsvField)).toEqual([...fields, 'end']);
      }),
      { numRuns: 3000 },
    );
  });

  it('is no formula, whatever a spreadsheet takes for a delimiter', () => {
    fc.assert(
      fc.property(text, (field) => {
        const [[cell]] = parse(`${csvField(field)},\n`) as string[][];
        for (const part of cell.split(/[;,|\t\r\n]/)) expect(part).not.toMatch(FORMULA);
        expect(cell).not.toMatch(FORMULA);
      }),
      { numRuns: 3000 },
    );
  });

  it.each([
    ['+4930123', "'+4930123"],
    ['=HYPERLINK("http://x")', '"\'=HYPERLINK(""http://x"")"'],
    ["'+1", "''+1"],
    ['alice', 'alice'],
    ["o'neill", "o'neill"],
    ['1-2', '1-2'],
    ['x;=1+1', '"x;\'=1+1"'],
  ])('%s is written %s', (from, to) => {
    expect(csvField(from)).toBe(to);
  });
});

describe('users', () => {
  it('come back from their export as they were', async () => {
    const [from, to] = [temporaryDirectory(), temporaryDirectory()];
    const names = ['+4930123', '=1+1', '@home', '-x', "'quoted", 'plain'];
    const file = join(from, 'users.csv');
    writeFileSync(file, `username,domain,password\n${names.map((name) => `"${name}",example.com,pw\n`).join('')}`);
    await aortaUser(from, ['import', file]);
    const out = join(from, 'out.csv');
    await aortaUser(from, ['export', '--output', out]);
    for (const line of readFileSync(out, 'utf8').trim().split('\n')) expect(line).not.toMatch(FORMULA);
    await aortaUser(to, ['import', out]);
    const again = join(to, 'again.csv');
    await aortaUser(to, ['export', '--output', again]);
    expect(readFileSync(again, 'utf8')).toBe(readFileSync(out, 'utf8'));
    const names2 = (parse(readFileSync(again, 'utf8'), { columns: true }) as { username: string }[]).map(
      ({ username }) => fromCsvField(username),
    );
    expect(names2.sort()).toEqual([...names].sort());
  });
});
