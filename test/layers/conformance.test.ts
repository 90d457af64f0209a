// docs/conformance.md against the tests and the source: no requirement without a row, no row without a test or a reason,
// no test that names a requirement which has no row. `-u` brings the column Test up to date.

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { REQUIREMENT_IDS } from './requirement-ids.ts';
import { listFiles, ROOT, readSource } from './source.ts';

const PATH = join(ROOT, 'docs/conformance.md');
const ID = /\bR[0-9]{4}-[0-9A-Za-z.]+-[0-9]{2}[a-z]?\b/g;
const document = readFileSync(PATH, 'utf8');

/** Test files by the requirement that they name, comments left aside; `R3261-10.3-19, -20` names both. */
const tests = new Map<string, Set<string>>();
for (const path of listFiles('test', '.test.ts').filter((name) => !name.startsWith('test/layers/'))) {
  for (const line of readSource(path).lines.filter((text) => !/^\s*(\/\/|\/?\*)/.test(text))) {
    for (const [id] of line.matchAll(ID)) {
      if (!tests.has(id)) tests.set(id, new Set());
      tests.get(id)?.add(path.slice('test/'.length));
    }
  }
}

interface Row {
  readonly line: number;
  readonly id: string;
  readonly code: readonly string[];
  readonly note: string;
}

const rows: Row[] = document.split('\n').flatMap((text, i) => {
  const [, id, , , code, , note] = text.split('|').map((cell) => cell.trim());
  return /^R[0-9]{4}-/.test(id ?? '') ? [{ line: i + 1, id, code: code.split(', '), note }] : [];
});

describe('docs/conformance.md', () => {
  it('has one row for every requirement', () => {
    const ids = rows.map(({ id }) => id);
    expect(REQUIREMENT_IDS.filter((id) => !ids.includes(id))).toEqual([]);
    expect(ids.filter((id, i) => ids.indexOf(id) !== i)).toEqual([]);
  });

  it('has a row for every requirement that a test names', () => {
    const known = new Set(rows.map(({ id }) => id));
    const wrong = [...tests]
      .filter(([id]) => !known.has(id))
      .map(([id, files]) => `${id} in ${[...files].join(', ')}: no such row`);
    expect(wrong).toEqual([]);
  });

  it('names code that exists', () => {
    const wrong = rows.flatMap(({ line, code }) =>
      code
        .filter((path) => !existsSync(join(ROOT, 'src', path)))
        .map((path) => `docs/conformance.md:${line}: no src/${path}`),
    );
    expect(wrong).toEqual([]);
  });

  it('has a test or a reason in every row', () => {
    const wrong = rows.flatMap(({ line, id, note }) => {
      if (note !== '' && !/^(not yet|part|n\/a): \S/.test(note)) {
        return [`docs/conformance.md:${line}: a note starts with "not yet:", "part:" or "n/a:"`];
      }
      if (tests.has(id))
        return note.startsWith('not yet') ? [`docs/conformance.md:${line}: ${id} has a test now; drop the note`] : [];
      return note === ''
        ? [`docs/conformance.md:${line}: no test names ${id}; write one, or say under Note why not`]
        : [];
    });
    expect(wrong).toEqual([]);
  });

  it('names the tests that name the requirement', async () => {
    const lines = document.split('\n');
    for (const { line, id } of rows) {
      const cells = lines[line - 1].split('|');
      cells[5] = ` ${[...(tests.get(id) ?? [])].sort().join(', ')} `;
      lines[line - 1] = cells.join('|');
    }
    await expect(lines.join('\n')).toMatchFileSnapshot(PATH);
  });
});
