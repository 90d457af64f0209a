// What npm runs after an install, and before the first `npx aorta` in a checkout, which npm takes for an install, too: a build where the last
// one is older than anything it was made of. A whole build takes half a minute, and would put a new dist under a server or test that runs.

import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

const SOURCES = ['src', 'scripts', 'package.json', 'package-lock.json', 'tsconfig.json', 'tsconfig.build.json'];

process.chdir(join(import.meta.dirname, '..'));
if (SOURCES.some(hasChanged)) await import('./build.js');

/** A folder changes with each name that comes and goes in it. */
function hasChanged(path) {
  const found = statSync(path);
  if (found.mtimeMs >= builtAt()) return true;
  return found.isDirectory() && readdirSync(path).some((name) => hasChanged(join(path, name)));
}

function builtAt() {
  return statSync('dist/cli.js', { throwIfNoEntry: false })?.mtimeMs ?? 0;
}
