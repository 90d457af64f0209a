// Child processes run JavaScript: this turns a TypeScript file of the tests, with what it imports from src, into one.

import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Bundles `entry` (a path from the repository's root) and returns the path of a module that node can run. */
export async function bundle(entry: string): Promise<string> {
  const name = `${entry.replaceAll(/\W+/g, '-')}-${process.pid}.mjs`;
  const outDir = join(root, '.build', 'test');
  await build({
    root,
    configFile: false,
    logLevel: 'error',
    build: {
      ssr: entry,
      outDir,
      emptyOutDir: false,
      target: 'node20',
      rollupOptions: { output: { entryFileNames: name } },
    },
  });
  return join(outDir, name);
}
