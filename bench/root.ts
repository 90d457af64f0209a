// Where the project is, and the programs that `npm run bench` builds: built, this file lies in .build.

import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = rootOf(dirname(fileURLToPath(import.meta.url)));

function rootOf(directory: string): string {
  return existsSync(join(directory, 'package.json')) ? directory : rootOf(dirname(directory));
}

/** A program of the bench that runs in a process or a thread of its own; scripts/bench.js builds them all. */
export function partProgram(name: string): string {
  return join(root, '.build/bench', `${name}.js`);
}
