// `npm run bench:storm`: a million phones that come back at once, on Aorta and on Kamailio in turn, each on one core with the
// phones on another. Prints Markdown on stdout, progress on stderr.

import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { DOMAIN, logins } from '../load/login.ts';
import { aorta, type Contestant, kamailio } from '../load/servers.ts';
import { grouped, markdownTable } from '../results.ts';
import { Storm, type StormReport } from './phones.ts';

const HELP = `npm run bench:storm -- [options]

Lets many phones register at once, as after an outage, while others that are registered refresh. Reports how long it takes
until all are registered, how many were put off, the longest waits, and whether a live refresh was lost. Linux, two cores.

  --phones N            phones that come back (1000000)
  --within S            seconds over which they do (10)
  --live N              phones that were never away (20000)
  --refreshes N         refreshes per second of those, all together (500)
  --seconds S           at most (300)
  --only WORDS          comma-separated: kamailio, durable, process (all)
  --flags "…"           further flags for aorta serve
  --kamailio-dir DIR    start.sh and registrar.cfg for Kamailio (default: bench/load/kamailio)
  --port N              (17160)
  --server-core N, --client-core N   (1 and 0)
  --data DIR            where Aorta's data directories are made
  --json                one JSON object instead of Markdown

Examples
  npm run bench:storm
  npm run bench:storm -- --phones 100000 --only durable "--flags=--config no-overload.yaml"
`;

const root = rootOf(dirname(fileURLToPath(import.meta.url)));

function rootOf(directory: string): string {
  return existsSync(join(directory, 'package.json')) ? directory : rootOf(dirname(directory));
}

const { values: flags } = parseArgs({
  options: {
    phones: { type: 'string', default: '1000000' },
    within: { type: 'string', default: '10' },
    live: { type: 'string', default: '20000' },
    refreshes: { type: 'string', default: '500' },
    seconds: { type: 'string', default: '300' },
    only: { type: 'string', default: 'kamailio,durable,process' },
    flags: { type: 'string', default: '' },
    'kamailio-dir': { type: 'string', default: join(root, 'bench/load/kamailio') },
    port: { type: 'string', default: '17160' },
    'server-core': { type: 'string', default: '1' },
    'client-core': { type: 'string', default: '0' },
    data: { type: 'string' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

function contestant(word: string): Contestant {
  if (word === 'kamailio')
    return kamailio('Kamailio, memory only', resolve(flags['kamailio-dir']), [
      '-x',
      'fm',
      '-X',
      'fm',
      '-A',
      'CHILDREN=1',
    ]);
  if (word !== 'durable' && word !== 'process')
    throw new Error(`--only: "${word}" is none of kamailio, durable, process`);
  const extra = flags.flags.split(' ').filter((flag) => flag !== '');
  const cli = join(root, 'dist/cli.js');
  return aorta(`Aorta, ${word}`, process.execPath, cli, ['--durability', word, ...extra], flags.data);
}

async function measure(word: string): Promise<{ name: string; report: StormReport }> {
  const one = contestant(word);
  const server = await one.start(
    Number(flags.port),
    Number(flags['server-core']),
    logins(['none'], ['md5'])[0],
    undefined,
  );
  try {
    const report = await new Storm({
      port: Number(flags.port),
      domain: DOMAIN,
      phones: Number(flags.phones),
      live: Number(flags.live),
      refreshesPerS: Number(flags.refreshes),
      withinS: Number(flags.within),
      secondsMax: Number(flags.seconds),
      progress: (line) => console.error(`${one.name}: ${line}`),
    }).run();
    return { name: one.name, report };
  } finally {
    await server.stop();
  }
}

async function main(): Promise<void> {
  if (flags.help) return void process.stdout.write(HELP);
  const runs: { name: string; report: StormReport }[] = [];
  for (const word of flags.only.split(',')) runs.push(await measure(word));
  if (flags.json) return console.log(JSON.stringify({ flags, runs }));
  const row = (title: string, of: (report: StormReport) => string) => [title, ...runs.map(({ report }) => of(report))];
  const ms = (value: number) => (Number.isNaN(value) ? 'none' : grouped(value));
  const seconds = (value: number) => (Number.isNaN(value) ? 'not reached' : value.toFixed(1));
  console.log(
    markdownTable(
      [`${grouped(Number(flags.phones))} phones within ${flags.within} s`, ...runs.map(({ name }) => name)],
      [
        row('half of them registered after, s', (r) => seconds(r.halfAfterS)),
        row('all of them registered after, s', (r) => seconds(r.allAfterS)),
        row('registered at the end', (r) => grouped(r.registered)),
        row('requests', (r) => grouped(r.requests)),
        row('sent again for want of an answer', (r) => grouped(r.retransmissions)),
        row('given up after 32 s', (r) => grouped(r.gaveUp)),
        row('put off with 503', (r) => grouped(r.putOff)),
        row('other refusals', (r) =>
          r.otherRefusals === 0 ? '0' : `${grouped(r.otherRefusals)} (last ${r.lastOther})`,
        ),
        row('registration, p99 and worst, ms', (r) => `${ms(r.registerP99Ms)}, ${ms(r.registerWorstMs)}`),
        row('refreshes meanwhile', (r) => grouped(r.refreshes)),
        row('refreshes lost', (r) => grouped(r.refreshesLost)),
        row(
          'refresh, p50, p99, worst, ms',
          (r) => `${ms(r.refreshP50Ms)}, ${ms(r.refreshP99Ms)}, ${ms(r.refreshWorstMs)}`,
        ),
      ],
    ),
  );
}

// The phones keep their core to themselves.
if (process.env.STORM_PINNED === undefined && !flags.help) {
  if (process.platform !== 'linux' || availableParallelism() < 2) throw new Error('this needs Linux and two cores');
  const { spawnSync } = await import('node:child_process');
  const again = spawnSync('taskset', ['-c', flags['client-core'], process.execPath, ...process.argv.slice(1)], {
    stdio: 'inherit',
    env: { ...process.env, STORM_PINNED: '1' },
  });
  process.exitCode = again.status ?? 1;
} else {
  main().catch((error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  });
}
