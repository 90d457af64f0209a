// The package.json of the package: without what only a checkout needs. `npm pack` packs what lies on the disk, so it is put there before
// and the checkout's own is put back behind it.

import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const FILE = 'package.json';
const KEPT = '.build/package.json';

/** @param {string} text of the checkout's package.json @returns {string} that of the package: npm runs nothing at its installation */
export function packedManifest(text) {
  const { scripts, devDependencies, overrides, ...rest } = JSON.parse(text);
  return `${JSON.stringify(rest, null, 2)}\n`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  if (process.argv[2] === 'restore') {
    if (existsSync(KEPT)) renameSync(KEPT, FILE);
  } else {
    mkdirSync('.build', { recursive: true });
    copyFileSync(FILE, KEPT);
    writeFileSync(FILE, packedManifest(readFileSync(KEPT, 'utf8')));
  }
}
