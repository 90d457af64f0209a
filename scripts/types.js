// One file of types for each module that programs import, with what is public alone: dist/index.d.ts and others. Made anew only when one
// of the declarations that it is made of has changed.

import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const MODULES = ['index', 'location', 'messages', 'parser'];
const FOLDER = '.build/types';

/** @param {string} from where the compiler put a declaration for each file of src @param {string} to directory that gets the files */
export async function buildTypes(from, to) {
  const hash = createHash('sha256').update(readFileSync(fileURLToPath(import.meta.url)));
  for (const file of filesOf(MODULES.map((name) => join(from, `${name}.d.ts`)))) hash.update(readFileSync(file));
  const made = hash.digest('hex');
  const stamp = `${FOLDER}/made-of`;
  if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== made) {
    await make(from);
    writeFileSync(stamp, made);
  }
  for (const name of MODULES) copyFileSync(`${FOLDER}/${name}.d.ts`, `${to}/${name}.d.ts`);
}

/** All declarations that these lead to. */
function filesOf(roots) {
  const files = new Set(roots);
  for (const file of files)
    for (const [, path] of readFileSync(file, 'utf8').matchAll(/(?:from |import\()['"](\.[^'"]+)\.ts['"]/g))
      files.add(join(dirname(file), `${path}.d.ts`));
  return files;
}

async function make(from) {
  const { generateDtsBundle } = await import('dts-bundle-generator');
  mkdirSync(FOLDER, { recursive: true });
  const config = join(from, 'tsconfig.json');
  writeFileSync(
    config,
    JSON.stringify({
      compilerOptions: {
        ...{ target: 'es2022', lib: ['es2023'], module: 'nodenext', moduleResolution: 'nodenext', strict: true },
        ...{ types: ['node'], typeRoots: [join(process.cwd(), 'node_modules/@types')], skipLibCheck: true },
      },
      files: MODULES.map((name) => `${name}.d.ts`),
    }),
  );
  const output = { exportReferencedTypes: false, noBanner: true, inlineDeclareGlobals: false };
  const texts = generateDtsBundle(
    MODULES.map((name) => ({ filePath: join(from, `${name}.d.ts`), output })),
    { preferredConfigPath: config },
  );
  for (const [i, name] of MODULES.entries()) writeFileSync(`${FOLDER}/${name}.d.ts`, texts[i]);
}
