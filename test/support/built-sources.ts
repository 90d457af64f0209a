// Which files of src stand in a module of the build: its source map has them.

import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = join(import.meta.dirname, '../..');

/** From the project's root, such as `src/server/server.ts`; for what is not built from src its address. @param url of a file */
export function builtSources(url: string): string[] {
  const map = `${fileURLToPath(url)}.map`;
  if (!url.includes('/dist/') || url.includes('/node_modules/') || !existsSync(map)) return [url];
  const { sources } = JSON.parse(readFileSync(map, 'utf8')) as { sources: string[] };
  return sources.map((source) => relative(ROOT, resolve(dirname(map), source)));
}
