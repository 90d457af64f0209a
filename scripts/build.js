// Compiles src to dist. The new tree takes the old one's place only when it is whole, so that nothing stale stays
// behind and a running server or test does not meet half a build.

import { spawnSync } from 'node:child_process';
import { chmodSync, renameSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));
const next = `.build/dist-${process.pid}`;
const old = `.build/old-${process.pid}`;
const tsc = fileURLToPath(new URL('../node_modules/typescript/bin/tsc', import.meta.url));

const run = spawnSync(process.execPath, [tsc, '-p', 'tsconfig.build.json', '--outDir', next], { stdio: 'inherit' });
if (run.status !== 0) {
  rmSync(next, { recursive: true, force: true });
  process.exit(run.status ?? 1);
}
chmodSync(`${next}/cli.js`, 0o755);
try {
  renameSync('dist', old);
} catch (error) {
  if (error.code !== 'ENOENT') throw error;
}
renameSync(next, 'dist');
rmSync(old, { recursive: true, force: true });
