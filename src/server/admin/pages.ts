// Files of the dashboard and of the API's documents, as they are served. The code of the pages is in page/ and runs in the browser.

import { existsSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import type { HttpSurface } from '../http/http-surface.ts';

const FILES = [
  ['/', 'index.html', 'text/html; charset=utf-8'],
  ['/page.css', 'page.css', 'text/css; charset=utf-8'],
  ['/page.js', 'page.js', 'text/javascript; charset=utf-8'],
] as const;

/** Swagger UI over /openapi.json; the build copies its two files beside the dashboard's. */
const DOCS = [
  ['/docs', 'docs.html', 'text/html; charset=utf-8'],
  ['/docs.js', 'docs.js', 'text/javascript; charset=utf-8'],
  ['/swagger-ui.css', 'swagger-ui.css', 'text/css; charset=utf-8'],
  ['/swagger-ui-bundle.js', 'swagger-ui-bundle.js', 'text/javascript; charset=utf-8'],
] as const;

const policy = (style: string) =>
  `default-src 'none'; script-src 'self'; style-src ${style}; connect-src 'self'; img-src data:; base-uri 'none'; frame-ancestors 'none'; form-action 'none'`;

/** The pages hold nobody's data, so they need no token; their requests do. */
const HEADERS = { 'content-security-policy': policy("'self'"), 'referrer-policy': 'no-referrer' };
/** Swagger UI sets styles of single elements. */
const DOCS_HEADERS = { ...HEADERS, 'content-security-policy': policy("'self' 'unsafe-inline'") };

export function addPages(surface: HttpSurface): void {
  for (const [path, file, type] of FILES) {
    const body = readFileSync(pageFile(file));
    surface.route('GET', path, () => ({ type, headers: HEADERS, body }), 'open');
  }
  for (const [path, file, type] of DOCS)
    surface.route('GET', path, async () => ({ type, headers: DOCS_HEADERS, body: await readDocs(file) }), 'open');
}

/** Read when asked for: some two megabytes that few servers ever serve. */
function readDocs(file: string): Promise<Buffer> {
  const beside = pageFile(file);
  // In a checkout that is not built they are where npm puts them.
  return readFile(existsSync(beside) ? beside : createRequire(import.meta.url).resolve(`swagger-ui-dist/${file}`));
}

function pageFile(name: string): URL {
  return new URL(`page/${name}`, import.meta.url);
}
