// Makes one module of an entry and all it imports from this project; packages stay imports. For code on the hot path:
// V8 treats the constants of a module (numbers, tables, the slab) as constants only within that module, and reads an
// imported one from memory at every use. The parser alone is twice as fast this way.

import { basename, dirname } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'vite';

/**
 * @param {string} entry TypeScript or JavaScript, from the project's root
 * @param {string} file where the module goes, from the project's root
 */
export async function bundle(entry, file) {
  await build({
    root: fileURLToPath(new URL('..', import.meta.url)),
    configFile: false,
    logLevel: 'error',
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

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await bundle(process.argv[2], process.argv[3]);
