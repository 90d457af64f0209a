// Files of the dashboard and of the API's documents, for the HTTP server. The code of the pages is in page/ and runs in the browser.

import { existsSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename } from 'node:path';
import { CHALLENGES } from '../../core/uas/reasons.ts';
import type { HttpSurface } from '../http/http-surface.ts';

const JAVASCRIPT = 'text/javascript; charset=utf-8';
const CSS = 'text/css; charset=utf-8';

const SCRIPTS =
  'page addresses api changes charts confirm deliveries dom events figures limited lists live messages'.split(' ');
const FILES = [
  ['/', 'index.html', 'text/html; charset=utf-8'],
  ['/page.css', 'page.css', CSS],
  ...SCRIPTS.map((name) => [`/${name}.js`, `${name}.js`, JAVASCRIPT] as const),
] as const;

const policy = (style: string) =>
  `default-src 'none'; script-src 'self'; style-src ${style}; connect-src 'self'; img-src data:; base-uri 'none'; frame-ancestors 'none'; form-action 'none'`;

/** The pages hold no data, so they need no token; their requests do. */
const HEADERS = { 'content-security-policy': policy("'self'"), 'referrer-policy': 'no-referrer' };
/** Swagger UI sets styles of single elements. */
const DOCS_HEADERS = { ...HEADERS, 'content-security-policy': policy("'self' 'unsafe-inline'") };

/** Files of packages: the build copies them beside the dashboard's. uPlot draws its charts; Swagger UI shows /openapi.json at /docs. */
const VENDORED = [
  ['/uplot.js', 'uplot/dist/uPlot.esm.js', JAVASCRIPT, HEADERS],
  ['/uplot.css', 'uplot/dist/uPlot.min.css', CSS, HEADERS],
  ['/swagger-ui.css', 'swagger-ui-dist/swagger-ui.css', CSS, DOCS_HEADERS],
  ['/swagger-ui-bundle.js', 'swagger-ui-dist/swagger-ui-bundle.js', JAVASCRIPT, DOCS_HEADERS],
] as const;
const DOCS = [
  ['/docs', 'docs.html', 'text/html; charset=utf-8'],
  ['/docs.js', 'docs.js', JAVASCRIPT],
] as const;

export function addPages(surface: HttpSurface): void {
  const serve = (headers: Readonly<Record<string, string>>, [path, file, type]: readonly [string, string, string]) => {
    const body = readFileSync(pageFile(file));
    surface.route('GET', path, () => ({ type, headers, body }), 'open');
  };
  for (const file of FILES) serve(HEADERS, file);
  for (const file of DOCS) serve(DOCS_HEADERS, file);
  const challenges = `export const CHALLENGES = ${JSON.stringify(CHALLENGES)};\n`;
  surface.route('GET', '/challenges.js', () => ({ type: JAVASCRIPT, headers: HEADERS, body: challenges }), 'open');
  // Read on request: some two megabytes that few servers ever serve.
  for (const [path, file, type, headers] of VENDORED)
    surface.route('GET', path, async () => ({ type, headers, body: await readFile(vendored(file)) }), 'open');
}

/** A file of a package, copied by the build. In a checkout without a build it is in npm's folder. */
function vendored(path: string): URL | string {
  const beside = pageFile(basename(path));
  return existsSync(beside) ? beside : createRequire(import.meta.url).resolve(path);
}

function pageFile(name: string): URL {
  return new URL(`page/${name}`, import.meta.url);
}
