// Makes one module of an entry and all it imports from this project, or a folder of modules of several entries; packages stay imports.
// For code on the hot path one module: V8 treats the constants of a module (numbers, tables, the slab) as constants only within that
// module, and reads an imported one from memory at every use. The parser alone is twice as fast this way.

import { existsSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'vite';

const root = fileURLToPath(new URL('..', import.meta.url));
/** Packages that every start loads: of many files, of which little is used. A start finds, reads and compiles that little alone. */
export const BUNDLED = ['commander', 'yaml', 'zod'];
/**
 * Parts of src that are loaded as one where they are shared: the lowest layers, but for what commands need for their help; small
 * files that need no others, of commands and of stores.
 */
const LAYERS = /** @type {const} */ ([
  [
    'policy',
    /\/src\/(sip\/shown-text|core\/(uas\/(lookup-)?policy|subscriptions\/subscription-policy|pings\/ping-policy))/,
  ],
  [
    'words',
    /\/src\/(commands\/(top\/top-keys|terminal\/(exit-codes|seconds|command-action|output-file)|import\/(csv-field|sql-text|time-zone))|server\/(process\/(package-version|terminal|file-fault|reason-of|size-text|time-limit)|admin\/admin-files|users\/circuit-breaker|http\/webhook-signature|config\/(defaults|quantities|config-problem|nearest))|transport\/(monotonic|every))\.ts/,
  ],
  [
    'sizes',
    /\/src\/(location\/(aor-key-size|log\/(generation\/generation-size|log-positions)|files\/(process-alive|file-calls|disk-space))|shard\/shard-of)\.ts/,
  ],
  ['cluster-words', /\/src\/(cluster\/(roles|shard-table)|server\/cluster\/cluster-error)\.ts/],
  ['lmdb-files', /\/src\/location\/files\/lmdb-(environment|snapshots|file|guard)\.ts/],
  ['sip', /\/src\/sip\//],
  ['core', /\/src\/core\//],
  ['commander', /\/node_modules\/commander\//],
  ['yaml', /\/node_modules\/yaml\//],
  ['zod', /\/node_modules\/zod\//],
]);

/**
 * @param {string} entry TypeScript or JavaScript, from the project's root
 * @param {string} file where the module goes, from the project's root
 * @param {string} [replacements] a folder, from the project's root: a module of src with the name of a file in it is replaced by that
 * @param {object} [output] more options of Rollup's output
 */
export async function bundle(entry, file, replacements, output) {
  const plugins = replacements === undefined ? [] : [replacing(join(root, replacements))];
  await make(entry, dirname(file), { ...output, entryFileNames: basename(file) }, plugins);
}

/**
 * What several entries have in common are parts beside them. All of it lies in one folder, so that a path beside any module is
 * one beside every module.
 * @param {Readonly<Record<string, string>>} entries from the project's root, by the names of their files without .js
 * @param {string} folder from the project's root
 * @param {object} output more options of Rollup's output
 */
export async function bundleTogether(entries, folder, output) {
  await make(entries, folder, {
    ...output,
    entryFileNames: '[name].js',
    chunkFileNames: 'part-[name].js',
    manualChunks: layerOf,
  });
}

/** @param {string} module its path @returns {string | undefined} */
function layerOf(module) {
  return LAYERS.find(([, folder]) => folder.test(module))?.[0];
}

/** @param {string | Readonly<Record<string, string>>} input @param {string} folder @param {object} output @param {object[]} [plugins] */
async function make(input, folder, output, plugins = []) {
  await build({
    root,
    configFile: false,
    logLevel: 'error',
    plugins: [...plugins, commentsInLatin1()],
    esbuild: { charset: 'ascii' },
    ssr: { noExternal: BUNDLED },
    build: {
      ssr: true,
      outDir: folder,
      emptyOutDir: false,
      target: 'es2023',
      minify: false,
      sourcemap: true,
      rollupOptions: { input, output: { ...output, sourcemapExcludeSources: true }, onwarn: refuseCircles },
    },
  });
}

/**
 * Parts that import each other run in an order of chance: one meets the other's constants before they are there.
 * @param {{ code?: string, message: string }} warning
 */
function refuseCircles({ code, message }) {
  if (code === 'CIRCULAR_CHUNK') throw new Error(`${message}: change LAYERS in scripts/bundle.js`);
}

/** V8 keeps a source that is all Latin-1 in half the memory, and each thread keeps its own. esbuild sees to the rest. */
function commentsInLatin1() {
  return {
    name: 'comments-in-latin1',
    /** @param {string} code */
    renderChunk: (code) => ({ code: code.replace(/[^\x00-\xff]/g, escapeOf), map: null }),
  };
}

/** @param {string} unit */
function escapeOf(unit) {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

/** @param {string} folder */
function replacing(folder) {
  return {
    name: 'replacing',
    enforce: /** @type {const} */ ('pre'),
    /** @param {string} source @param {string | undefined} importer */
    resolveId(source, importer) {
      const file = join(folder, basename(source));
      return importer !== undefined && source.startsWith('.') && existsSync(file) ? file : null;
    },
  };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href)
  await bundle(process.argv[2], process.argv[3], process.argv[4]);
