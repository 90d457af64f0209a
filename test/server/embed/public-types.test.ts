// Every type that a signature of the package's modules names can be imported from them.

import { readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { expect, it } from 'vitest';

const DIST = join(import.meta.dirname, '../../../dist');
/** What types are computed with. */
const MACHINERY = ['InCamel', 'CamelKey', 'FileInput'];

/** Names that a module exports, with the file that declares each. */
function exportsOf(file: string): Map<string, string> {
  const found = new Map<string, string>();
  const text = readFileSync(file, 'utf8');
  for (const [, names, from] of text.matchAll(/^export (?:type )?\{([^}]*)\} from '([^']+)'/gm))
    for (const name of names.split(','))
      found.set(name.replace(/^\s*type\s+|\s+/g, ''), resolve(dirname(file), from.replace(/\.ts$/, '.d.ts')));
  for (const [, from] of text.matchAll(/^export type \* from '([^']+)'/gm))
    for (const [name, declared] of exportsOf(resolve(dirname(file), from.replace(/\.ts$/, '.d.ts'))))
      found.set(name, declared);
  for (const [, name] of text.matchAll(/^export (?:declare )?(?:interface|type|class|function|const) (\w+)/gm))
    found.set(name, file);
  return found;
}

/** Types of the project that the declaration of a name mentions. */
function mentions(file: string, name: string): string[] {
  const text = readFileSync(file, 'utf8').replace(/\/\*[\s\S]*?\*\/|\/\/[^\n]*|^\s*private .*$/gm, '');
  const start = text.search(
    new RegExp(`^(?:export )?(?:declare )?(?:interface|type|class|function|const) ${name}\\b`, 'm'),
  );
  const body = text
    .slice(start)
    .split(/^(?=export |declare |type |interface |import )/m)[0]
    .replace(/'[^']*'/g, '');
  const own = [...text.matchAll(/^(?:export )?(?:declare )?(?:interface|type|class) (\w+)/gm)].map(([, type]) => type);
  const imported = [...text.matchAll(/^import [^{]*\{([^}]*)\} from '\.[^']*'/gm)].flatMap(([, names]) =>
    names.split(',').map((one) => one.replace(/^\s*type\s+|\s+/g, '')),
  );
  const words = new Set(body.match(/\b[A-Z]\w+\b/g));
  return [...own, ...imported].filter((type) => type !== name && words.has(type));
}

it.each(['index.d.ts', 'parser.d.ts'])('of %s', (module) => {
  const exported = exportsOf(join(DIST, module));
  expect(exported.size).toBeGreaterThan(3);
  const missing = [...exported].flatMap(([name, file]) =>
    mentions(file, name)
      .filter((type) => !exported.has(type) && !MACHINERY.includes(type))
      .map((type) => `${type}, of ${name}`),
  );
  expect(missing).toEqual([]);
});
