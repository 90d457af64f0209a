// Child processes run JavaScript: this turns a TypeScript file of the tests, with what it imports from src, into one. What was made of
// the same sources before, by this run or an earlier one, is there already.

import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, type Plugin } from 'esbuild';

const root = fileURLToPath(new URL('../..', import.meta.url));
const FOLDER = '.build/test';
const HOUR_MS = 3_600_000;

/**
 * Bundles `entry` (a path from the repository's root) and returns the path of a module that node can run.
 * @param replacements a folder, from the repository's root: a module of src with the name of a file in it is replaced by that
 */
export async function bundle(entry: string, replacements?: string): Promise<string> {
  const name = `${entry.replaceAll(/\W+/g, '-')}-${sourcesKey()}`;
  const file = join(root, FOLDER, `${name}.mjs`);
  if (existsSync(file)) return file;
  removeOld();
  const own = `${name}.${process.pid}.mjs`;
  await build({
    absWorkingDir: root,
    entryPoints: [entry],
    outfile: join(FOLDER, own),
    plugins: replacements === undefined ? [] : [replacing(join(root, replacements))],
    ...{ bundle: true, platform: 'node', format: 'esm', packages: 'external', target: 'es2023' },
    ...{ sourcemap: true, sourcesContent: false, logLevel: 'silent' },
  });
  for (const end of ['.map', '']) renameSync(join(root, FOLDER, own + end), file + end);
  return file;
}

function replacing(folder: string): Plugin {
  return {
    name: 'replacing',
    setup: ({ onResolve }) =>
      onResolve({ filter: /^\./ }, ({ path, importer }) => {
        const file = join(folder, basename(path));
        return importer !== '' && existsSync(file) ? { path: file } : undefined;
      }),
  };
}

/** Of all files that may be in a bundle: another one where one of them has changed. */
function sourcesKey(): string {
  const hash = createHash('sha1');
  for (const folder of ['src', 'test', 'scripts'])
    for (const path of readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).sort()) {
      if (!/\.[jt]s$/.test(path)) continue;
      const { mtimeMs, size } = statSync(join(root, folder, path));
      hash.update(`${path} ${mtimeMs} ${size}\n`);
    }
  return hash.digest('hex').slice(0, 12);
}

/** Other runs may be starting those that are young. */
function removeOld(): void {
  const folder = join(root, FOLDER);
  mkdirSync(folder, { recursive: true });
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    const stats = statSync(path, { throwIfNoEntry: false });
    if (stats?.isFile() === true && Date.now() - stats.mtimeMs > HOUR_MS) rmSync(path, { force: true });
  }
}
