// Compiles the cores of parser and registrar to WebAssembly and src to dist, then makes one module of what a shard's thread runs (bundle.js says why). The new tree takes the
// old one's place only when it is whole, so that nothing stale stays behind and a running server or test does not meet
// half a build.

import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, cpSync, renameSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundle } from './bundle.js';
import { buildClient } from './client.js';
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
  await buildClient(next, tsc);
  await bundle('src/threads/cluster/cluster-shard-task.ts', `${next}/threads/cluster/cluster-shard-task.js`);
  await bundle('src/threads/cluster/cluster-thread-task.ts', `${next}/threads/cluster/cluster-thread-task.js`);
} catch (error) {
  console.error(error);
  giveUp(1);
}
copyFileSync('.build/parser.wasm', `${next}/sip/parser.wasm`);
cpSync('src/server/admin/page', `${next}/server/admin/page`, { recursive: true });
const viewer = dirname(createRequire(import.meta.url).resolve('swagger-ui-dist/package.json'));
for (const file of ['swagger-ui-bundle.js', 'swagger-ui.css', 'LICENSE', 'NOTICE'])
  copyFileSync(`${viewer}/${file}`, `${next}/server/admin/page/${file.replace(/^([A-Z])/, 'swagger-ui.$1')}`);
const charts = dirname(dirname(createRequire(import.meta.url).resolve('uplot/dist/uPlot.min.css')));
for (const [file, name] of [
  ['dist/uPlot.esm.js', 'uPlot.esm.js'],
  ['dist/uPlot.min.css', 'uPlot.min.css'],
  ['LICENSE', 'uPlot.LICENSE'],
])
  copyFileSync(`${charts}/${file}`, `${next}/server/admin/page/${name}`);
chmodSync(`${next}/cli.js`, 0o755);
try {
  renameSync('dist', old);
} catch (error) {
  if (error.code !== 'ENOENT') throw error;
}
renameSync(next, 'dist');
rmSync(old, { recursive: true, force: true });
