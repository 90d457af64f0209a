// Tests under another version of Node.js: `npm run test:node -- 24 [VITEST'S ARGUMENTS]`. The program is npm's package of it for this
// machine, unpacked into a temporary folder and kept there; nothing is installed. Child processes of the tests run under it, too.

import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const [version, ...args] = process.argv.slice(2);
if (!/^\d+(\.\d+){0,2}$/.test(version ?? '')) {
  console.error(`usage: npm run test:node -- VERSION [VITEST'S ARGUMENTS]

  npm run test:node -- 24                                      all tests, after a build
  npm run test:node -- 22 --project core                       those of a group
  npm run test:node -- 26.1.0 --project e2e test/e2e/tcp.test.ts`);
  process.exit(2);
}
const root = fileURLToPath(new URL('..', import.meta.url));
const node = programOf(version);
const env = { ...process.env, PATH: `${dirname(node)}${delimiter}${process.env.PATH}` };
console.log(`Node.js ${execFileSync(node, ['--version'], { encoding: 'utf8' }).trim()}`);
const vitest = join(root, 'node_modules/vitest/vitest.mjs');
process.exitCode = spawnSync(node, [vitest, 'run', ...args], { cwd: root, env, stdio: 'inherit' }).status ?? 1;

/** @param {string} version a major one for its newest */
function programOf(version) {
  const name = `node-${process.platform}-${process.arch}`;
  const newest = JSON.parse(
    execFileSync('npm', ['view', '--json', `${name}@${version}`, 'version'], { encoding: 'utf8' }),
  );
  const exact = [newest].flat().at(-1);
  const folder = join(tmpdir(), 'aorta-nodes', exact);
  const file = join(folder, 'package/bin/node');
  if (existsSync(file)) return file;
  mkdirSync(dirname(folder), { recursive: true });
  const work = mkdtempSync(`${folder}-`);
  execFileSync('npm', ['pack', '--silent', `${name}@${exact}`], { cwd: work });
  execFileSync('tar', ['-xzf', readdirSync(work)[0]], { cwd: work });
  renameSync(work, folder);
  return file;
}
