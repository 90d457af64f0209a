// The module aorta/client: a typed client of the admin API, made from docs/openapi.json, which a test holds to the routes. Made anew only
// when one of what it is made of has changed.

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const DOCUMENT = 'docs/openapi.json';
const FOLDER = '.build/client';
const MADE = ['client.js', 'client.d.ts'];

/** What stands behind the made code. */
const DOOR = `
export interface ClientOptions {
  /** Of the admin listener: http://127.0.0.1:8060 */
  readonly url: string;
  /** The content of admin-token in the data directory; on loopback it may be left out. */
  readonly token?: string | undefined;
  /** Instead of the global one. */
  readonly fetch?: typeof fetch | undefined;
}

/** Operations of the API by their names. Each rejects with the response where the status is no 2xx; its \`error\` is a Problem. */
export function createClient({ url, token, fetch }: ClientOptions): Api<unknown>['v1'] {
  const headers: Record<string, string> = token === undefined ? {} : { authorization: \`Bearer \${token.trim()}\` };
  const api = new Api({ baseUrl: url.replace(/\\/$/, ''), baseApiParams: { headers }, ...(fetch && { customFetch: fetch }) });
  return api.v1;
}
`;

/** @param to directory that gets client.js and client.d.ts @param tsc path of the compiler */
export async function buildClient(to, tsc) {
  const parts = [readFileSync(DOCUMENT), readFileSync(fileURLToPath(import.meta.url))];
  const hash = createHash('sha256').update(parts[0]).update(parts[1]).digest('hex');
  const stamp = `${FOLDER}/made-of`;
  if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== hash) {
    await make(JSON.parse(parts[0].toString()), tsc);
    writeFileSync(stamp, hash);
  }
  for (const file of MADE) copyFileSync(`${FOLDER}/${file}`, `${to}/${file}`);
}

/** Names stand in paths as they are there: an AOR may have a slash. */
function withEscapes(source) {
  return source.replace(/path: `[^`]*`/g, (path) => path.replace(/\$\{(\w+)\}/g, '${encodeURIComponent(String($1))}'));
}

async function make(spec, tsc) {
  const { generateApi } = await import('swagger-typescript-api');
  const { files } = await generateApi({ spec, output: false, silent: true });
  mkdirSync(FOLDER, { recursive: true });
  writeFileSync(`${FOLDER}/client.ts`, withEscapes(files[0].fileContent) + DOOR);
  const flags =
    '--ignoreConfig --declaration --strict --target es2023 --module nodenext --lib es2023,dom,dom.iterable'.split(' ');
  const run = spawnSync(process.execPath, [tsc, ...flags, '--types', '', '--outDir', FOLDER, `${FOLDER}/client.ts`], {
    stdio: 'inherit',
  });
  if (run.status !== 0) throw new Error('the client of the admin API does not compile');
}
