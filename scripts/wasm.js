// Compiles AssemblyScript to WebAssembly, the parser's and the registrar's, and makes the TypeScript modules that carry them: src/sip
// and src/core may not read files, and one module is all that a bundle or a test has to find. The results are built, never edited.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath, pathToFileURL } from 'node:url';
import asc from 'assemblyscript/asc';
import binaryen from 'binaryen';

const root = fileURLToPath(new URL('..', import.meta.url));

/** What is compiled, where its constants lie (memory-map.ts), and the module that carries it. */
const MODULES = [
  { name: 'parser', entry: 'src/sip/simd/parser.ts', data: 'MODULE_DATA', carrier: 'src/sip/parser/parser-wasm.ts' },
  {
    name: 'writer',
    entry: 'src/core/wasm/simd/writer.ts',
    data: 'REGISTRAR_DATA',
    carrier: 'src/core/wasm/writer-wasm.ts',
  },
];

/** A number that memory-map.ts names, so that the compiler's flags and the sources cannot differ. */
function memoryMap(name) {
  const text = readFileSync(`${root}src/sip/parser/memory-map.ts`, 'utf8');
  const value = (key) => {
    const sum = new RegExp(`export const ${key} = ([^;]+);`).exec(text)[1];
    return sum.split('+').reduce((total, part) => total + number(part.trim()), 0);
  };
  const number = (part) => (/^[0-9]/.test(part) ? Number(part.replaceAll('_', '')) : value(part));
  return value(name);
}

/** Makes .build/NAME.wasm and the carriers. */
export async function buildModules() {
  mkdirSync(`${root}.build`, { recursive: true });
  for (const module of MODULES) await buildModule(module);
}

async function buildModule({ name, entry, data, carrier }) {
  const pages = String(memoryMap('MEMORY_PAGES'));
  const file = `.build/${name}.wasm`;
  const { error, stderr } = await asc.main(
    [
      entry,
      ...['--baseDir', root, '--outFile', file, '-O3', '--noAssert', '--runtime', 'stub'],
      ...['--enable', 'simd', '--importMemory', '--initialMemory', pages, '--maximumMemory', pages],
      ...['--noExportMemory', '--memoryBase', String(memoryMap(data)), '--zeroFilledMemory'],
    ],
    {},
  );
  if (error) throw new Error(`${stderr}${error.message}`);
  const bytes = withOffsets(readFileSync(`${root}${file}`));
  writeFileSync(`${root}${file}`, bytes);
  const text = `// A WebAssembly module in base64, built by scripts/wasm.js from simd/. Not to be edited.

export const ${name.toUpperCase()}_WASM: string =
  '${bytes.toString('base64')}';
`;
  writeIfChanged(`${root}${carrier}`, text);
}

/**
 * Moves constants that are added to addresses into loads and stores, where they cost nothing (6% of a parse). AssemblyScript
 * does not ask for it: it would be wrong for addresses a little below zero, and there are none here.
 */
function withOffsets(bytes) {
  const module = binaryen.readBinary(bytes);
  module.setFeatures(module.getFeatures());
  binaryen.setOptimizeLevel(3);
  binaryen.setShrinkLevel(0);
  // AssemblyScript shares the library, and leaves limits that inline more: 5% slower here.
  binaryen.setAlwaysInlineMaxSize(2);
  binaryen.setFlexibleInlineMaxSize(20);
  binaryen.setOneCallerInlineMaxSize(-1);
  binaryen.setAllowInliningFunctionsWithLoops(false);
  binaryen.setClosedWorld(false);
  binaryen.setLowMemoryUnused(true);
  binaryen.setZeroFilledMemory(true);
  module.optimize();
  return Buffer.from(module.emitBinary());
}

/** Leaves an unchanged file alone, so that nothing which watches it starts over. */
function writeIfChanged(path, text) {
  try {
    if (readFileSync(path, 'utf8') === text) return;
  } catch (error) {
    if (error.code !== 'ENOENT') throw error;
  }
  writeFileSync(path, text);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await buildModules();
