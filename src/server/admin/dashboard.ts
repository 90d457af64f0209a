// The dashboard's files, as they are served. What the page does is in page/, which runs in the browser.

import { readFileSync } from 'node:fs';
import type { HttpSurface } from '../http/http-surface.ts';

const FILES = [
  ['/', 'index.html', 'text/html; charset=utf-8'],
  ['/page.css', 'page.css', 'text/css; charset=utf-8'],
  ['/page.js', 'page.js', 'text/javascript; charset=utf-8'],
] as const;

/** The page holds nobody's data, so it needs no token; what it asks for does. */
const HEADERS = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; frame-ancestors 'none'; form-action 'none'",
  'referrer-policy': 'no-referrer',
};

export function addDashboard(http: HttpSurface): void {
  for (const [path, file, type] of FILES) {
    const body = readFileSync(new URL(`page/${file}`, import.meta.url));
    http.route('GET', path, () => ({ type, headers: HEADERS, body }), 'open');
  }
}
