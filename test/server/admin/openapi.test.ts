// The OpenAPI document: free of faults, complete, and good enough to make a client from; and the page that shows it.

import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { createConfig, lintFromString } from '@redocly/openapi-core';
import { transform } from 'esbuild';
import { generateApi } from 'swagger-typescript-api';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AdminFixture, startAdmin } from '../../support/admin-server.ts';
import { removeDirectories, temporaryDirectory } from '../../support/aorta-process.ts';
import { run } from '../../support/child-process.ts';

const ROOT = join(import.meta.dirname, '../../..');

interface Operation {
  readonly operationId?: string;
  readonly tags?: readonly string[];
  readonly responses: Readonly<Record<string, unknown>>;
}

interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: object };
}

let admin: AdminFixture;
let document: Document;

beforeAll(async () => {
  admin = await startAdmin({
    admin: { listen: { scheme: 'http', host: '127.0.0.1', port: 0 }, requireToken: true },
  });
  document = (await (await fetch(`${admin.url}/openapi.json`)).json()) as Document;
});
afterAll(async () => {
  await admin.stop();
  removeDirectories();
});

describe('the OpenAPI document', () => {
  it('lints clean, by the strict rules of its linter', async () => {
    const config = await createConfig({ extends: ['recommended-strict'] });
    const lint = async (source: unknown) => {
      const problems = await lintFromString({ source: JSON.stringify(source), config });
      return problems.map(({ ruleId, message, location }) => `${ruleId} ${location[0]?.pointer}: ${message}`);
    };
    expect(await lint(document)).toEqual([]);
    const [path, operations] = Object.entries(document.paths)[0] ?? expect.unreachable();
    const broken = { ...document, paths: { [path]: { get: { ...operations.get, operationId: undefined } } } };
    expect((await lint(broken)).join()).toContain('operation-operationId');
  });

  it('names every operation, its part of the API, its refusals and its schemas', () => {
    const operations = Object.values(document.paths).flatMap((path) =>
      Object.entries(path).flatMap(([method, operation]) => (method === 'servers' ? [] : [operation])),
    );
    const names = operations.map(({ operationId }) => operationId);
    expect(new Set(names).size).toBe(names.length);
    expect(names).toEqual(expect.arrayContaining(['getStatus', 'listAors', 'lookUp', 'lookUpMany']));
    for (const { operationId, tags, responses } of operations)
      expect([tags?.length, '4XX' in responses], operationId).toEqual([1, true]);
    expect(Object.keys(document.components.schemas)).toEqual(
      expect.arrayContaining(['Aor', 'Binding', 'Change', 'Lookup', 'Problem', 'Status', 'Target', 'User']),
    );
    expect(document.paths['/v1/lookups']).toMatchObject({ servers: [{ url: 'http://{host}:{port}' }] });
  });

  it('stands in docs/openapi.json, which aorta/client is made from', async () => {
    const sorted = { ...document, info: { ...(document as { info?: object }).info, version: '0.0.0' } };
    await expect(`${JSON.stringify(sorted, null, 2)}\n`).toMatchFileSnapshot(join(ROOT, 'docs/openapi.json'));
  });

  it('makes a client that compiles and works', async () => {
    const folder = temporaryDirectory();
    const { files } = await generateApi({ spec: document as never, output: false, silent: true });
    const source = files[0]?.fileContent ?? '';
    const client = join(folder, 'client.ts');
    writeFileSync(client, source);
    writeFileSync(
      join(folder, 'use.ts'),
      `import { Api, type Binding } from './client.ts';
      const api = new Api({ baseUrl: 'http://127.0.0.1:8060' });
      export const names: Promise<string[]> = api.v1.listAors({ limit: 5 }).then(({ data }) => data.items.map(({ aor }) => aor));
      export const uri = ({ uri, expires }: Binding): string => uri + (expires ?? 'for ever').toString();
      // @ts-expect-error there is no such parameter
      api.v1.listAors({ limits: 5 });`,
    );
    const tsc = join(import.meta.dirname, '../../../node_modules/typescript/bin/tsc');
    const flags = [
      '--noEmit',
      '--strict',
      '--target',
      'es2023',
      '--module',
      'nodenext',
      '--lib',
      'es2023,dom,dom.iterable',
    ];
    const run = [tsc, ...flags, '--allowImportingTsExtensions', '--types', '', join(folder, 'use.ts')];
    expect(spawnSync(process.execPath, run, { cwd: folder, encoding: 'utf8' }).stdout).toBe('');

    const file = join(folder, 'client.mjs');
    writeFileSync(file, (await transform(source, { loader: 'ts', format: 'esm' })).code);
    const { Api } = await import(pathToFileURL(file).href);
    const headers = { authorization: `Bearer ${admin.token}` };
    const api = new Api({ baseUrl: admin.url, baseApiParams: { headers } });
    expect((await api.v1.getStatus()).data).toMatchObject({ ready: true, auth: 'none' });
    await expect(api.v1.getAor('nobody@example.com')).rejects.toMatchObject({ status: 404 });
  });
});

describe('aorta/client', () => {
  it('runs the program of docs/operating.md, and escapes what stands in a path', async () => {
    const text = readFileSync(join(ROOT, 'docs/operating.md'), 'utf8');
    const program =
      [...text.matchAll(/^```js\n([\s\S]*?)^```$/gm)].find(([, js]) => js.includes('aorta/client'))?.[1] ?? '';
    const folder = join(ROOT, `.build/client-${process.pid}`);
    mkdirSync(folder, { recursive: true });
    try {
      const file = join(folder, 'program.mjs');
      const odd = "await aorta.addBinding('a/b@example.com', { contact: 'sip:odd@192.0.2.31' });\n";
      writeFileSync(file, program.replace('for (let cursor', `${odd}for (let cursor`));
      const { exit, stdout, stderr } = await run(process.execPath, [file, admin.url, admin.config.data], 15_000);
      expect([exit.code, stderr]).toEqual([0, '']);
      expect(stdout.trim().split('\n').sort()).toEqual([
        '404 no_bindings',
        'a/b@example.com sip:odd@192.0.2.31',
        'gate@example.com sip:gate@192.0.2.30',
      ]);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

it('aorta/client gives streams as loops, and refusals as errors', async () => {
  const { AdminError, createClient } = (await import('aorta/client')) as typeof import('aorta/client');
  const client = createClient({ url: admin.url, token: admin.token });
  const following = client.followEvents({ types: 'registered' });
  const first = following.next();
  await client.addBinding('loop@example.com', { contact: 'sip:loop@192.0.2.33' });
  const { value } = await first;
  expect([value?.event, value?.data.aor]).toEqual(['registered', 'loop@example.com']);
  await following.return(undefined);
  const aors: string[] = [];
  for await (const { aor } of client.dumpAors({ domain: undefined })) aors.push(aor);
  expect(aors).toContain('loop@example.com');
  const refused = await client.getAor('nobody@example.com').catch((error: unknown) => error);
  expect(refused).toBeInstanceOf(AdminError);
  expect(refused).toMatchObject({ status: 404, problem: { code: 'no_bindings' } });
  const stranger = createClient({ url: admin.url, token: 'wrong' });
  await expect(stranger.dumpAors().next()).rejects.toMatchObject({ status: 401 });
  expect((await client.listAors({ limit: 1, cursor: undefined })).data.items).toHaveLength(1);
});

describe('/docs', () => {
  it('shows the document with files of this server alone', async () => {
    const page = await fetch(`${admin.url}/docs`);
    expect([page.status, page.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8']);
    expect(page.headers.get('content-security-policy')).toContain("default-src 'none'; script-src 'self'");
    const html = await page.text();
    const files = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, file]) => file).filter((it) => it !== 'data:,');
    expect(files).toEqual(['/swagger-ui.css', '/swagger-ui-bundle.js', '/docs.js']);
    expect(await (await fetch(`${admin.url}/docs.js`)).text()).toContain("url: '/openapi.json'");
  });

  it('needs no token, as the dashboard; what it asks for does', async () => {
    expect((await fetch(`${admin.url}/docs`)).status).toBe(200);
    expect((await fetch(`${admin.url}/v1/status`)).status).toBe(401);
  });
});
