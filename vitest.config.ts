import { existsSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

const peers = fileURLToPath(new URL('./test/setup/peers.ts', import.meta.url));

// Files of test/e2e that tell by the time that something takes: they have the machine for themselves.
const ALONE = ['auth-abuse', 'strace'].map((name) => `test/e2e/${name}.test.ts`);

const WAITING_WORKERS = 4;

/** Servers that answer a few requests need no rehearsal (decision 72); those of auth-abuse and strace have it. */
const env = { AORTA_WARM_UP: 'off' };

const below = (...names: readonly string[]) => names.map((name) => `test/${name}/**/*.test.ts`);

// Files outside test/e2e that start servers and commands in processes of their own, which is mostly waiting.
const PROCESSES = below('commands', 'documents', 'package');

// Files outside test/e2e that need a process of their own: for what they count, or for modules that they put others in the place of.
const OWN_PROCESS = [
  ...['allocation', 'counts', 'ring'].map((name) => `test/shard/${name}.test.ts`),
  'test/core/auth/auth-work.test.ts',
  'test/server/cluster/node-exchange.test.ts',
];

// Files outside test/e2e with servers and threads in the test's process.
const SERVERS = below('server', 'threads', 'transport');

// The longest first, so that none is left alone at the end.
const LONGEST = [
  ...['bench', 'power-cuts', 'cluster-streams', 'cluster', 'sql-users', 'stop', 'move-in', 'dashboard', 'cluster-demo'],
  ...[
    'cluster-refusals',
    'odd-phones',
    'crash',
    'descriptors',
    'auth-clients',
    'tokens',
    'tls',
    'stream-abuse',
    'serve',
  ],
  ...['reshard', 'kills', 'cluster-leave', 'disk-full', 'shared-location', 'large-requests', 'cluster-credentials'],
  ...['cluster-away', 'proxies', 'cluster-nats', 'push', 'reload', 'backup', 'pings', 'browser', 'domain-policy'],
  ...['registrar', 'systemd', 'auth-requests', 'odd-contacts', 'sipp', 'linphone', 'lookups', 'hep', 'torture'],
  ...['user-command', 'cli', 'admin-commands', 'command-output', 'deb', 'bench-command', 'owner'],
  ...['node-exchange', 'program-credentials', 'webhook', 'user-server', 'http-connections', 'embedding', 'websocket'],
  ...['limits', 'programs', 'embedding-examples', 'damaged-users', 'user-provider', 'public-types', 'pool'],
  ...['shards-simulation', 'cluster-simulation', 'store-simulation', 'simulation', 'checkpoint', 'registrar-model'],
  ...['oracle', 'log-store'],
];

/** Of those that run beside each other, in this order: a worker that files share ends where the next file is another project's. */
const PROJECTS = ['own-process', 'e2e', 'processes', 'servers'];

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const place = new Map(sorted.map((file, n) => [file, n + LONGEST.length]));
    for (const file of files) {
      const n = LONGEST.indexOf(basename(file.moduleId, '.test.ts'));
      if (n >= 0) place.set(file, n);
    }
    const group = ({ project }: TestSpecification) => project.config.sequence.groupOrder;
    const project = (file: TestSpecification) => PROJECTS.indexOf(file.project.name);
    return sorted.sort(
      (a, b) => group(a) - group(b) || project(a) - project(b) || (place.get(a) ?? 0) - (place.get(b) ?? 0),
    );
  }
}

// `--project e2e FILE…` and `--project core FILE…` run any file of theirs; only the whole run keeps some of them apart.
const only = (project: string) =>
  process.argv.some(
    (word, n) => word === `--project=${project}` || `${process.argv[n - 1]} ${word}` === `--project ${project}`,
  );

/** For what hangs: each wait of a test has its own bound, and a busy machine may take ten times as long as an idle one. */
const times = { testTimeout: 180_000, hookTimeout: 180_000 };

const realClients = { globalSetup: existsSync(peers) ? [peers] : [], ...times };

export default defineConfig({
  test: {
    reporters: ['default', './test/support/counts-reporter.ts'],
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        // Rules about the source itself: part of `npm run check`.
        test: { name: 'layers', include: ['test/layers/**/*.test.ts'], maxWorkers: 2, ...times },
      },
      {
        // What needs no process of its own: the files of a worker share its modules.
        test: {
          name: 'core',
          env,
          include: ['test/**/*.test.ts'],
          exclude: [
            'test/layers/**',
            'test/e2e/**',
            ...(only('core') ? [] : [...PROCESSES, ...OWN_PROCESS, ...SERVERS]),
          ],
          ...times,
          isolate: only('core'),
          maxWorkers: 2,
        },
      },
      {
        test: {
          name: 'processes',
          env,
          include: PROCESSES,
          ...times,
          isolate: false,
          maxWorkers: WAITING_WORKERS,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          name: 'own-process',
          env,
          include: OWN_PROCESS,
          ...times,
          maxWorkers: WAITING_WORKERS,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          name: 'servers',
          env,
          include: SERVERS,
          exclude: OWN_PROCESS,
          ...times,
          isolate: only('servers'),
          maxWorkers: WAITING_WORKERS,
          sequence: { groupOrder: 1 },
        },
      },
      {
        // Real clients and servers over real sockets. Most of their time is waiting, so several files run at a time.
        test: {
          name: 'e2e',
          env,
          include: ['test/e2e/**/*.test.ts'],
          exclude: only('e2e') ? [] : ALONE,
          isolate: only('e2e'),
          maxWorkers: WAITING_WORKERS,
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
