import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const peers = fileURLToPath(new URL('./test/setup/peers.ts', import.meta.url));

export default defineConfig({
  test: {
    reporters: ['default', './test/support/counts-reporter.ts'],
    projects: [
      {
        // Rules about the source itself: part of `npm run check`.
        test: { name: 'layers', include: ['test/layers/**/*.test.ts'] },
      },
      {
        // Everything that runs in seconds.
        test: {
          name: 'core',
          include: ['test/**/*.test.ts'],
          exclude: ['test/layers/**', 'test/e2e/**'],
          testTimeout: 20_000,
        },
      },
      {
        // Real clients and servers over real sockets: one file after the other, so that the load of one is no noise for another.
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          globalSetup: existsSync(peers) ? [peers] : [],
          fileParallelism: false,
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
});
