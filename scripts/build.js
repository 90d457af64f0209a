// Compiles the cores of parser and registrar to WebAssembly and src to dist, then makes one module of what a shard's thread runs (bundle.js says why). The new tree takes the
// old one's place only when it is whole, so that nothing stale stays behind and a running server or test does not meet
// half a build.

import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, cpSync, renameSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { bundle } from './bundle.js';
import { buildModules } from './wasm.js';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));
const next = `.build/dist-${process.pid}`;
const old = `.build/old-${process.pid}`;
const tsc = fileURLToPath(new URL('../node_modules/typescript/bin/tsc', import.meta.url));

function giveUp(status) {
  rmSync(next, { recursive: true, force: true });
  process.exit(status);
}

await buildModules();
const run = spawnSync(process.execPath, [tsc, '-p', 'tsconfig.build.json', '--outDir', next], { stdio: 'inherit' });
if (run.status !== 0) giveUp(run.status ?? 1);
try {
  await bundle('src/threads/shard-task.ts', `${next}/threads/shard-task.js`);
} catch (error) {
  console.error(error);
  giveUp(1);
}
copyFileSync('.build/parser.wasm', `${next}/sip/parser.wasm`);
cpSync('src/server/admin/page', `${next}/server/admin/page`, { recursive: true });
chmodSync(`${next}/cli.js`, 0o755);
try {
  renameSync('dist', old);
} catch (error) {
  if (error.code !== 'ENOENT') throw error;
}
renameSync(next, 'dist');
rmSync(old, { recursive: true, force: true });
