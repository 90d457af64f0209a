// Makes one module of an entry and all it imports from this project; packages stay imports. For code on the hot path:
// V8 treats the constants of a module (numbers, tables, the slab) as constants only within that module, and reads an
// imported one from memory at every use. The parser alone is twice as fast this way.

import { existsSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'vite';

/**
 * @param {string} entry TypeScript or JavaScript, from the project's root
 * @param {string} file where the module goes, from the project's root
 * @param {string} [replacements] a folder, from the project's root: a module of src with the name of a file in it is replaced by that
 */
export async function bundle(entry, file, replacements) {
  const root = fileURLToPath(new URL('..', import.meta.url));
  await build({
    root,
    configFile: false,
    logLevel: 'error',
    plugins: replacements === undefined ? [] : [replacing(join(root, replacements))],
    build: {
      ssr: entry,
      outDir: dirname(file),
      emptyOutDir: false,
      target: 'es2023',
      minify: false,
      sourcemap: true,
      rollupOptions: { output: { entryFileNames: basename(file) } },
    },
  });
}

/** @param {string} folder */
function replacing(folder) {
  return {
    name: 'replacing',
    enforce: /** @type {const} */ ('pre'),
    /** @param {string} source @param {string | undefined} importer */
    resolveId(source, importer) {
      const file = join(folder, basename(source));
      return importer !== undefined && source.startsWith('.') && existsSync(file) ? file : null;
    },
  };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href)
  await bundle(process.argv[2], process.argv[3], process.argv[4]);
