// What a program loads with each module of the package: its own part of the sources, and no more.

import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import { builtSources } from '../support/built-sources.ts';

const DIST = join(import.meta.dirname, '../../dist');

/** Sources and packages that an import of a file loads at once; what is loaded later is not among them. */
function loadedBy(entry: string): { sources: string[]; packages: string[] } {
  const files = new Set([join(DIST, entry)]);
  const packages = new Set<string>();
  for (const file of files) {
    const text = readFileSync(file, 'utf8');
    for (const [, name] of text.matchAll(/^(?:import|export)\b[^;'"]*?["'](\.?\/[^"']+|[a-z@][^"']*)["'];/gm)) {
      if (name.startsWith('.')) files.add(join(dirname(file), name));
      else if (!name.startsWith('node:')) packages.add(name);
    }
  }
  const sources = [...files].flatMap((file) => builtSources(pathToFileURL(file).href));
  return { sources: [...new Set(sources)].sort(), packages: [...packages].sort() };
}

describe('a module loads', () => {
  it.each([
    ['parser.js', /^src\/(sip\/|parser\.ts|parsed-)/, []],
    ['messages.js', /^src\/(sip\/|messages\.ts)/, []],
    ['client.js', /./, []],
    [
      'location.js',
      /^src\/(sip|core|location|shard\/(statics|shard-of)|users\/user-name|server\/lookups\/location-lookup|location\.ts)/,
      ['lmdb'],
    ],
    ['index.js', /./, ['lmdb', 'piscina']],
    ['checkpoint-task.js', /^src\/(?!server\/|commands\/)/, []],
  ])('%s its own part alone', (entry, own, brought) => {
    const { sources, packages } = loadedBy(entry);
    expect(sources.length).toBeGreaterThan(0);
    expect(sources.filter((source) => !own.test(source))).toEqual([]);
    expect(packages).toEqual(brought);
  });

  it.each(['shard-task.js', 'cluster-shard-task.js', 'cluster-thread-task.js'])('%s is one module', (entry) => {
    expect(readFileSync(join(DIST, entry), 'utf8')).not.toMatch(/^import\b[^;]*["']\.[^"']*["'];/m);
  });
});
