import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const peers = fileURLToPath(new URL('./test/setup/peers.ts', import.meta.url));

// Files of test/e2e that load the machine, or tell by the time that something takes: they have it for themselves.
const ALONE = ['auth-abuse', 'bench', 'crash', 'strace'].map((name) => `test/e2e/${name}.test.ts`);

// `--project e2e FILE…` runs any file of test/e2e; only the whole run keeps some of them apart.
const onlyE2e = process.argv.some(
  (word, n) => word === '--project=e2e' || `${process.argv[n - 1]} ${word}` === '--project e2e',
);

const realClients = {
  globalSetup: existsSync(peers) ? [peers] : [],
  testTimeout: 60_000,
  hookTimeout: 60_000,
};

export default defineConfig({
  test: {
    reporters: ['default', './test/support/counts-reporter.ts'],
    projects: [
      {
        // Rules about the source itself: part of `npm run check`.
        test: { name: 'layers', include: ['test/layers/**/*.test.ts'], maxWorkers: 2 },
      },
      {
        // Everything that runs in seconds.
        test: {
          name: 'core',
          include: ['test/**/*.test.ts'],
          exclude: ['test/layers/**', 'test/e2e/**'],
          testTimeout: 20_000,
          maxWorkers: 2,
        },
      },
      {
        // Real clients and servers over real sockets. Most of their time is waiting, so several files run at a time.
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          exclude: onlyE2e ? [] : ALONE,
          maxWorkers: 3,
          sequence: { groupOrder: 1 },
          ...realClients,
        },
      },
      {
        // One file after the other, with nothing beside it.
        test: { name: 'e2e-alone', include: ALONE, maxWorkers: 1, sequence: { groupOrder: 2 }, ...realClients },
      },
    ],
  },
});
