// The programs of the documents are typed as TypeScript sees them: with the declarations of the package, strict.

import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');
// Below the project, so that the package finds itself by its name.
const DIRECTORY = join(ROOT, `.build/typed-${process.pid}`);
const OPTIONS = {
  ...{
    module: 'nodenext',
    target: 'es2023',
    lib: ['es2023'],
    types: ['node'],
    typeRoots: [`${ROOT}/node_modules/@types`],
  },
  ...{ strict: true, noImplicitAny: false, allowJs: true, checkJs: true, noEmit: true },
};
/** What a program in parts takes from around it. */
const AROUND = `declare const bytes: Uint8Array;\ndeclare const queue: unknown[];\ndeclare module 'drachtio-srf';\n`;

afterAll(() => rmSync(DIRECTORY, { recursive: true, force: true }));

it('programs of the documents are sound', () => {
  mkdirSync(DIRECTORY, { recursive: true });
  const files = ['README.md', 'docs/embedding.md', 'docs/operating.md', 'docs/parser.md', 'docs/proxies.md'].flatMap(
    (document) => {
      const text = readFileSync(join(ROOT, document), 'utf8');
      return [...text.matchAll(/^```(js|ts)\n([\s\S]*?)^```$/gm)]
        .filter(([, , block]) => /from 'aorta/.test(block))
        .map(([, language, block], i) => {
          const name = `${document.replaceAll(/\W/g, '-')}-${i}.m${language}`;
          writeFileSync(join(DIRECTORY, name), block);
          return name;
        });
    },
  );
  expect(files.length).toBeGreaterThan(10);
  writeFileSync(join(DIRECTORY, 'around.d.ts'), AROUND);
  writeFileSync(join(DIRECTORY, 'tsconfig.json'), JSON.stringify({ compilerOptions: OPTIONS, include: ['*'] }));
  let found = '';
  try {
    execFileSync(process.execPath, [join(ROOT, 'node_modules/.bin/tsc'), '-p', DIRECTORY], { encoding: 'utf8' });
  } catch (error) {
    found = (error as { stdout: string }).stdout;
  }
  expect(found).toBe('');
});
