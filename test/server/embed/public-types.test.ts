// The types that the package's modules are published with: whole, in one file a module, and fit for the oldest compiler that is named.

import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '../../..');
const DIST = join(ROOT, 'dist');
const MODULES = ['index', 'client', 'location', 'messages', 'parser'];
/** What types are computed with or made of: no signature names them. */
const MACHINERY =
  /^(InCamel|CamelKey|FileInput|InputOf\w*|RequiredKeys|Ha1Name|\w*Rows?|RowOptions|Section|Named|Node|Kind|Tell|JsonSchema|Flag|InForce|Finding|CancelToken|OfNode|Calls|Streams)$/;
// Below the project, so that the package finds itself by its name.
const FOLDER = join(ROOT, `.build/public-types-${process.pid}`);

afterAll(() => rmSync(FOLDER, { recursive: true, force: true }));

const DECLARED = /^(export )?(?:declare )?(?:abstract )?(?:interface|type|class) (\w+)/gm;

describe.each(MODULES)('the types of %s', (module) => {
  const text = readFileSync(join(DIST, `${module}.d.ts`), 'utf8');

  it('stand in one file, which needs Node alone', () => {
    const from = [...text.matchAll(/(?:from |import\(|require\()['"]([^'"]+)['"]/g)].map(([, name]) => name);
    expect(from.filter((name) => !name.startsWith('node:'))).toEqual([]);
    expect(text).not.toContain('@internal');
  });

  it('can be imported where a signature names them', () => {
    const exported = new Set<string>();
    const hidden: string[] = [];
    for (const [, names] of text.matchAll(/^export (?:type )?\{([^}]*)\}/gm))
      for (const name of names.split(','))
        exported.add(
          name
            .trim()
            .replace(/^type /, '')
            .replace(/^\w+ as /, ''),
        );
    for (const [, isExported, name] of text.matchAll(DECLARED))
      if (isExported) exported.add(name);
      else hidden.push(name);
    expect(exported.size).toBeGreaterThan(3);
    expect(hidden.filter((name) => !exported.has(name) && !MACHINERY.test(name))).toEqual([]);
  });
});

const USE = `
import { createRegistrar, type Registrar, type RegistrarOptions } from 'aorta';
import { createClient } from 'aorta/client';
import { openLocation } from 'aorta/location';
import { createRequest } from 'aorta/messages';
import { parse } from 'aorta/parser';

const options: RegistrarOptions = { domains: ['example.com'], policy: { minExpires: 60 }, store: 'memory', threads: false };
const registrar: Registrar = createRegistrar(options);
export const uris: string[] = registrar.lookup('alice@example.com').contacts.map(({ uri }) => uri);
export const method: string | null = parse(Buffer.from('')).method;
export const bytes: Uint8Array = createRequest({ method: 'OPTIONS', uri: 'sip:example.com' }).toBytes();
export const known: boolean = openLocation('/var/lib/aorta').has('alice@example.com');
export const status = createClient({ url: 'http://127.0.0.1:8060' }).getStatus();
// @ts-expect-error there is no such key
createRegistrar({ policy: { minExpire: 60 } });
`;

/** The compiler that builds Aorta, and the oldest that its types are for, which makes them (package.json, overrides). */
const COMPILERS = [
  ['that builds Aorta', join(ROOT, 'node_modules/typescript/bin/tsc')],
  ['5.2', createRequire(join(ROOT, 'node_modules/dts-bundle-generator/package.json')).resolve('typescript/bin/tsc')],
] as const;

it.each(COMPILERS)('compile in a program, libraries checked, with TypeScript %s', (name, tsc) => {
  mkdirSync(FOLDER, { recursive: true });
  const file = join(FOLDER, 'use.ts');
  writeFileSync(file, USE);
  const flags = ['--noEmit', '--strict', '--exactOptionalPropertyTypes', '--skipLibCheck', 'false', '--types', 'node'];
  const project = ['--target', 'es2022', '--module', 'nodenext', '--typeRoots', join(ROOT, 'node_modules/@types')];
  // A compiler of today refuses files beside a tsconfig.json.
  const alone = name === '5.2' ? [] : ['--ignoreConfig'];
  const run = spawnSync(process.execPath, [tsc, ...flags, ...project, ...alone, file], {
    cwd: FOLDER,
    encoding: 'utf8',
  });
  expect(run.stdout + run.stderr).toBe('');
  expect(run.status).toBe(0);
});
