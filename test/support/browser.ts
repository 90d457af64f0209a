// Headless Chromium for tests, driven by playwright-core, and the HTTPS server whose pages it loads. It talks to nobody but
// this machine.

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { type BrowserContext, chromium } from 'playwright-core';
import type { Certificate } from './certificate.ts';
import { which } from './child-process.ts';

export const ROOT = join(import.meta.dirname, '../..');
/** Screenshots go here. */
export const ARTEFACTS = join(ROOT, 'test/artefacts');

export interface Browser {
  readonly context: BrowserContext;
  close(): Promise<void>;
}

/** Starts Chromium with a profile of its own, which goes with it. */
export async function startBrowser(): Promise<Browser> {
  const executablePath = which('chromium');
  if (executablePath === undefined) throw new Error('no chromium');
  const profile = mkdtempSync(join(tmpdir(), 'aorta-chromium-'));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath,
    headless: true,
    ignoreHTTPSErrors: true,
    viewport: { width: 1100, height: 620 },
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      '--ignore-certificate-errors',
      '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1',
    ],
  });
  const close = async () => {
    await context.close();
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
  };
  return { context, close };
}

export interface Site {
  /** `https://localhost:PORT` */
  readonly origin: string;
  close(): void;
}

/** Serves test/e2e/browser: its page, and its script with the libraries in it. */
export async function serveSite({ certFile, keyFile }: Certificate): Promise<Site> {
  const files = new Map([
    ['/', { type: 'text/html', body: readFileSync(join(ROOT, 'test/e2e/browser/page.html'), 'utf8') }],
    ['/page.js', { type: 'text/javascript', body: await bundleForBrowser('test/e2e/browser/page.js') }],
  ]);
  const server: Server = createServer(
    { cert: readFileSync(certFile), key: readFileSync(keyFile) },
    (request, response) => {
      const file = files.get(request.url ?? '');
      response.writeHead(file === undefined ? 404 : 200, { 'Content-Type': file?.type ?? 'text/plain' });
      response.end(file?.body);
    },
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { origin: `https://localhost:${(server.address() as AddressInfo).port}`, close: () => server.close() };
}

/** One script of `entry` and all it imports, packages included. */
async function bundleForBrowser(entry: string): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [join(ROOT, entry)],
    bundle: true,
    write: false,
    format: 'iife',
    define: { global: 'globalThis' },
  });
  return outputFiles[0].text;
}
