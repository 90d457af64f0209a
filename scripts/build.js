// Compiles the cores of parser and registrar to WebAssembly and src to dist: what the command and programs load, and a module for each
// thread (bundle.js says why), with one file of types for each module that programs import. The new tree takes the old one's place only
// when it is whole, so that nothing stale stays behind and a running server or test does not meet half a build.

import { spawn } from 'node:child_process';
import { chmodSync, copyFileSync, cpSync, existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BUNDLED, bundle, bundleTogether } from './bundle.js';
import { buildClient } from './client.js';
import { BUILT_OF, sourcesHash } from './sources.js';
import { buildTypes } from './types.js';
import { buildModules } from './wasm.js';

/** The command, what programs import, and threads that are on no hot path. */
const TOGETHER = {
  cli: 'src/cli.ts',
  index: 'src/index.ts',
  location: 'src/location.ts',
  messages: 'src/messages.ts',
  parser: 'src/parser.ts',
  'checkpoint-task': 'src/threads/checkpoint/checkpoint-task.ts',
  'move-task': 'src/threads/move/move-task.ts',
  'shared-location-task': 'src/threads/shared-location/shared-location-task.ts',
  'tls-relay-task': 'src/threads/cluster/tls-relay-task.ts',
};
/** Each is one module. */
const ALONE = {
  'shard-task': 'src/threads/shard-task.ts',
  'cluster-shard-task': 'src/threads/cluster/cluster-shard-task.ts',
  'cluster-thread-task': 'src/threads/cluster/cluster-thread-task.ts',
};

process.chdir(fileURLToPath(new URL('..', import.meta.url)));
const builtOf = sourcesHash(); // before the first of them is read
const next = `.build/dist-${process.pid}`;
const types = `.build/types-${process.pid}`;
const old = `.build/old-${process.pid}`;
const tsc = fileURLToPath(new URL('../node_modules/typescript/bin/tsc', import.meta.url));

await buildModules();
try {
  // A wrong type ends the build; the compiler runs beside the rest.
  const typed = compileTypes();
  await Promise.all([typed, bundleAll()]);
  await buildClient(next, tsc);
  await buildTypes(types, next);
} catch (error) {
  console.error(error instanceof Error && error.cause === 'told' ? error.message : error);
  for (const folder of [next, types]) rmSync(folder, { recursive: true, force: true });
  process.exit(1);
}
rmSync(types, { recursive: true, force: true });
copyFileSync('.build/parser.wasm', `${next}/parser.wasm`);
cpSync('src/server/admin/page', `${next}/page`, { recursive: true });
const viewer = dirname(createRequire(import.meta.url).resolve('swagger-ui-dist/package.json'));
for (const file of ['swagger-ui-bundle.js', 'swagger-ui.css'])
  copyFileSync(`${viewer}/${file}`, `${next}/page/${file}`);
const charts = dirname(dirname(createRequire(import.meta.url).resolve('uplot/dist/uPlot.min.css')));
for (const [file, name] of [
  ['dist/uPlot.esm.js', 'uPlot.esm.js'],
  ['dist/uPlot.min.css', 'uPlot.min.css'],
])
  copyFileSync(`${charts}/${file}`, `${next}/page/${name}`);
writeFileSync(`${next}/licenses.txt`, [...BUNDLED, 'uplot', 'swagger-ui-dist'].map(licenseOf).join('\n'));
chmodSync(`${next}/cli.js`, 0o755);
try {
  renameSync('dist', old);
} catch (error) {
  if (error.code !== 'ENOENT') throw error;
}
rmSync(BUILT_OF, { force: true });
renameSync(next, 'dist');
writeFileSync(BUILT_OF, builtOf);
rmSync(old, { recursive: true, force: true });

/** @param {string} name of a package of which something is in the build */
function licenseOf(name) {
  const folder = `node_modules/${name}`;
  const { version, license } = JSON.parse(readFileSync(`${folder}/package.json`, 'utf8'));
  const texts = ['LICENSE', 'NOTICE'].map((file) => `${folder}/${file}`).filter(existsSync);
  return [`${name} ${version}, ${license}\n`, ...texts.map((file) => readFileSync(file, 'utf8'))].join('\n');
}

async function bundleAll() {
  // Source maps lead to src from the place that the folder gets.
  const inPlace = { sourcemapPathTransform: (path) => path.replace(/^(\.\.\/)+src\//, '../src/') };
  await bundleTogether(TOGETHER, next, inPlace);
  for (const [name, entry] of Object.entries(ALONE)) await bundle(entry, `${next}/${name}.js`, undefined, inPlace);
}

function compileTypes() {
  return new Promise((resolve, reject) => {
    const compiler = spawn(process.execPath, [tsc, '-p', 'tsconfig.build.json', '--outDir', types], {
      stdio: 'inherit',
    });
    compiler.on('error', reject);
    compiler.on('exit', (code) => {
      if (code === 0) resolve(undefined);
      else reject(new Error('src does not compile', { cause: 'told' }));
    });
  });
}
