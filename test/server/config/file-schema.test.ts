// The schema of the keys that are given, which a start makes, beside that of all keys: they take in and refuse the same.

import { describe, expect, it } from 'vitest';
import { CONFIG_ROWS } from '../../../src/server/config/rows/all-rows.ts';
import { type Raw, schemaFor, schemaOfGiven } from '../../../src/server/config/rows/file-schema.ts';
import type { Rows } from '../../../src/server/config/rows/row.ts';

const VALUES = [null, 'x', 7, ['x'], { unknown: 1 }];

/** One value at the place of each key and section. */
function* filled(keys: Rows, value: unknown): Generator<Raw> {
  yield { unknown: value };
  for (const [key, node] of Object.entries(keys)) {
    yield { [key]: value };
    if (node.is === 'section') for (const below of filled(node.keys, value)) yield { [key]: below };
    if (node.is === 'named')
      for (const below of filled(node.entry.keys, value)) yield { [key]: { 'a.example': below } };
  }
}

const text = ({ data, error }: { data?: unknown; error?: { issues: unknown } }) =>
  JSON.stringify([data, error?.issues]);

describe('the schema of what is given', () => {
  it.each(VALUES.map((value) => [value]))('says of %j at any key what that of all keys says', (value) => {
    const wrong: Raw[] = [];
    for (const raw of filled(CONFIG_ROWS.keys, value)) {
      const all = schemaFor(raw).safeParse(raw);
      const given = schemaOfGiven(raw).safeParse(raw);
      expect(text(given), JSON.stringify(raw)).toBe(text(all));
      if (!all.success) wrong.push(raw);
    }
    expect(wrong.length).toBeGreaterThan(0); // of a key that is unknown
  });
});
