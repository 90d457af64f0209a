// The bill of materials of the package: `npm run sbom` writes dist/sbom.cdx.json (CycloneDX), from the lock file alone.
// Packages that are part of the build are in it. npm's own --omit=dev forgets what a development dependency has in common with the
// package, so those are removed beforehand.

import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BUNDLED } from './bundle.js';

const root = fileURLToPath(new URL('..', import.meta.url));
const out = process.argv[2] ?? join(root, 'dist', 'sbom.cdx.json');
const read = (name) => JSON.parse(readFileSync(join(root, name), 'utf8'));

const folder = join(mkdtempSync(join(tmpdir(), 'aorta-sbom-')), 'aorta');
mkdirSync(folder);
try {
  const { devDependencies, scripts: _scripts, ...manifest } = read('package.json');
  const lock = read('package-lock.json');
  delete lock.packages[''].devDependencies;
  for (const name of BUNDLED) {
    manifest.dependencies[name] = devDependencies[name];
    lock.packages[''].dependencies[name] = devDependencies[name];
    delete lock.packages[`node_modules/${name}`].dev;
  }
  for (const [path, entry] of Object.entries(lock.packages)) if (entry.dev) delete lock.packages[path];
  writeFileSync(join(folder, 'package.json'), JSON.stringify(manifest));
  writeFileSync(join(folder, 'package-lock.json'), JSON.stringify(lock));
  const flags = ['sbom', '--sbom-format=cyclonedx', '--package-lock-only', '--offline'];
  writeFileSync(out, execFileSync('npm', flags, { cwd: folder, maxBuffer: 64 << 20 }));
} finally {
  rmSync(join(folder, '..'), { recursive: true, force: true });
}
