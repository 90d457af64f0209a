// The reference of the configuration, its example file and its JSON Schema hold every key. After a change of a row,
// `npx vitest run --project core test/documents/configuration.test.ts -u` writes the documents anew.

import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { readConfigFile } from '../../src/server/config/config-file.ts';
import { createConfig } from '../../src/server/config/create-config.ts';
import { effectiveConfig } from '../../src/server/config/effective-config.ts';
import { CONFIG_ROWS } from '../../src/server/config/rows/all-rows.ts';
import { plain } from '../../src/server/config/rows/describe.ts';
import { placedRows } from '../../src/server/config/rows/row.ts';
import { CLI, removeDirectories, temporaryDirectory } from '../support/aorta-process.ts';
import { configurationPage } from '../support/configuration-page.ts';

const DOCS = join(import.meta.dirname, '../../docs');
const rows = placedRows(CONFIG_ROWS);
const keys = rows.map(({ path }) => path.join('.'));

afterAll(removeDirectories);

function cli(...words: string[]): string {
  return execFileSync(process.execPath, [CLI, ...words], { encoding: 'utf8' });
}

/** All keys of a document, the names in maps left aside. */
function keysOf(value: unknown, path: readonly string[] = []): string[] {
  const key = path.join('.');
  if (typeof value !== 'object' || value === null || Array.isArray(value) || isLeaf(key)) return [key];
  const below = Object.entries(value).flatMap(([name, inner]) => keysOf(inner, [...path, name]));
  return keys.includes(key) ? [key, ...below] : below;
}

/** A key that has no keys below it. */
function isLeaf(key: string): boolean {
  return keys.includes(key) && !keys.some((other) => other.startsWith(`${key}.`));
}

describe('a key of the configuration', () => {
  it.each(rows.map(({ path, row }) => [path.join('.'), plain(row.says)]))(
    'has one short sentence: %s',
    (_key, says) => {
      expect(says).toMatch(/^[A-Z][^\n]*[a-zA-Z0-9)]\.$/);
      expect(says.split(' ').length).toBeLessThanOrEqual(25);
    },
  );

  it('stands in docs/configuration.md, which is made from the rows', async () => {
    await expect(configurationPage()).toMatchFileSnapshot(join(DOCS, 'configuration.md'));
  });

  it('stands in docs/aorta.example.yaml, which `aorta config --example` prints', async () => {
    const example = cli('config', '--example');
    await expect(example).toMatchFileSnapshot(join(DOCS, 'aorta.example.yaml'));
    const values = parse(example.replace(/^# /gm, ''));
    expect(keysOf(values).map((key) => key.replace(/\.example\.(net|com)\./, '.<domain>.'))).toEqual(keys);
  });

  it('has its default in the example: without the comments the file is sound and means the same', () => {
    const file = join(temporaryDirectory(), 'aorta.yaml');
    const values = parse(cli('config', '--example').replace(/^# /gm, ''));
    delete values.auth.provider.sql; // users come from one place
    delete values.feed; // is not for a node of a cluster
    writeFileSync(file, stringify(values));
    const shown = effectiveConfig(createConfig([readConfigFile(file)]));
    const bare = effectiveConfig(createConfig([]));
    expect(shown).toMatchObject({ policy: bare.policy, limits: bare.limits, abuse: bare.abuse, drain: bare.drain });
  });

  it('is known to the JSON Schema that `aorta config --schema` prints', () => {
    interface Schema {
      readonly properties?: Readonly<Record<string, Schema>>;
      readonly anyOf?: readonly Schema[];
      readonly additionalProperties?: Schema | boolean;
      readonly description?: string;
    }
    const found: string[] = [];
    const walk = (schema: Schema, path: readonly string[]) => {
      if (keys.includes(path.join('.'))) {
        found.push(path.join('.'));
        expect(schema.description).toBeTruthy();
        if (isLeaf(path.join('.'))) return;
      }
      for (const { properties = {}, additionalProperties } of [schema, ...(schema.anyOf ?? [])]) {
        for (const [key, below] of Object.entries(properties)) walk(below, [...path, key]);
        if (typeof additionalProperties === 'object') walk(additionalProperties, [...path, '<domain>']);
      }
    };
    walk(JSON.parse(cli('config', '--schema')) as Schema, []);
    expect(found).toEqual(keys);
  });
});
