// Compiles the parser's AssemblyScript to WebAssembly, and makes the TypeScript module that carries it: src/sip may not
// read files, and one module is all that a bundle or a test has to find. Both results are built, never edited.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath, pathToFileURL } from 'node:url';
import asc from 'assemblyscript/asc';
import binaryen from 'binaryen';

const root = fileURLToPath(new URL('..', import.meta.url));
const ENTRY = 'src/sip/simd/parser.ts';
const MODULE = 'src/sip/parser-wasm.ts';

/** A number that memory-map.ts names, so that the compiler's flags and the sources cannot differ. */
function memoryMap(name) {
  const text = readFileSync(`${root}src/sip/memory-map.ts`, 'utf8');
  const value = (key) => {
    const sum = new RegExp(`export const ${key} = ([^;]+);`).exec(text)[1];
    return sum.split('+').reduce((total, part) => total + number(part.trim()), 0);
  };
  const number = (part) => (/^[0-9]/.test(part) ? Number(part.replaceAll('_', '')) : value(part));
  return value(name);
}

/** Makes .build/parser.wasm and src/sip/parser-wasm.ts. */
export async function buildParser() {
  mkdirSync(`${root}.build`, { recursive: true });
  const pages = String(memoryMap('MEMORY_PAGES'));
  const { error, stderr } = await asc.main(
    [
      ENTRY,
      ...['--baseDir', root, '--outFile', '.build/parser.wasm', '-O3', '--noAssert', '--runtime', 'stub'],
      ...['--enable', 'simd', '--importMemory', '--initialMemory', pages, '--maximumMemory', pages],
      ...['--noExportMemory', '--memoryBase', String(memoryMap('MODULE_DATA')), '--zeroFilledMemory'],
    ],
    {},
  );
  if (error) throw new Error(`${stderr}${error.message}`);
  const bytes = withOffsets(readFileSync(`${root}.build/parser.wasm`));
  writeFileSync(`${root}.build/parser.wasm`, bytes);
  const text = `// The parser's WebAssembly module in base64, built by scripts/wasm.js from simd/. Not to be edited.

export const PARSER_WASM: string =
  '${bytes.toString('base64')}';
`;
  writeIfChanged(`${root}${MODULE}`, text);
  return bytes;
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

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) console.log(`${(await buildParser()).length} bytes`);
