// `npm run bench:load`: Aorta and Kamailio under the same load in one run, interleaved, each on one core with the load
// generator on another. Prints Markdown on stdout, progress on stderr.

import { existsSync, rmSync } from 'node:fs';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { findGenerator, runGenerator } from './generator.ts';
import { type Login, logins, makeUsers } from './login.ts';
import { type Run, report } from './report.ts';
import { aorta, type Contestant, echo, kamailio } from './servers.ts';

const KAMAILIO = 'Kamailio';
const PAUSE_MS = 500;
/** Per contestant and round, where quiet moments are asked for. */
const RUNS_MAX = 5;
const WAIT_S_MAX = 30;

const HELP = `npm run bench:load -- [options]

Measures REGISTERs per second and server CPU per REGISTER, for initial registrations and for refreshes, of Aorta and of
Kamailio. Every server gets one core, the load generator another. Linux, two cores.

  --regload PATH        the load generator regload, or the directory of its source (default: bench/load/regload)
  --kamailio-dir DIR    start.sh and registrar.cfg for Kamailio (default: bench/load/kamailio)
  --only WORDS          contestants, comma-separated: kamailio, durable, process, dgram, echo (default: all but echo)
  --auth WORDS          comma-separated: none; reuse: a nonce for each AOR; fresh: a 401 before every 200; challenge:
                        nothing but 401s (none)
  --algorithm WORDS     comma-separated: md5, sha-256 (md5)
  --against CLI         another build's dist/cli.js: every Aorta contestant runs with both, as "this" and "that"
  --node PATH           the Node.js to run Aorta with (default: this one)
  --flags "…"           further flags for aorta serve
  --rounds N            times that every contestant runs, in turn (3)
  --seconds S           length of the refresh phase, after one second of warm-up (5)
  --aors N              addresses of record (100000)
  --window N            requests on their way at a time (256)
  --port N              UDP port of the servers; the generator takes the one above (17060)
  --server-core N, --client-core N   (1 and 0)
  --data DIR            where Aorta's data directories are made: decides which disk is measured
  --quiet PCT           wait until the machine uses less than PCT of one core; repeat runs that something disturbed
  --json                one JSON object with every run instead of Markdown

Examples
  npm run bench:load                                           everything, about two and a half minutes
  npm run bench:load -- --only process,kamailio --rounds 5     the one ratio, more often
  npm run bench:load -- --auth none,reuse,fresh,challenge --algorithm md5,sha-256
  npm run bench:load -- --only process --auth none,reuse       what authentication adds
  npm run bench:load -- --only process --against ../other/dist/cli.js   before and after a change
  npm run bench:load -- --regload ~/regload/regload --kamailio-dir ~/kamailio

Figures are worth something when nothing else runs: the last column is what else used the machine meanwhile, in percent
of one core. Where that cannot be had, --quiet 20 keeps to the quiet moments.
`;

/** Built, this file lies in .build. */
const root = rootOf(dirname(fileURLToPath(import.meta.url)));

function rootOf(directory: string): string {
  return existsSync(join(directory, 'package.json')) ? directory : rootOf(dirname(directory));
}

const { values: flags } = parseArgs({
  options: {
    regload: { type: 'string', default: join(root, 'bench/load/regload') },
    'kamailio-dir': { type: 'string', default: join(root, 'bench/load/kamailio') },
    only: { type: 'string', default: 'kamailio,durable,process,dgram' },
    auth: { type: 'string', default: 'none' },
    algorithm: { type: 'string', default: 'md5' },
    against: { type: 'string' },
    node: { type: 'string', default: process.execPath },
    flags: { type: 'string', default: '' },
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '5' },
    aors: { type: 'string', default: '100000' },
    window: { type: 'string', default: '256' },
    port: { type: 'string', default: '17060' },
    'server-core': { type: 'string', default: '1' },
    'client-core': { type: 'string', default: '0' },
    data: { type: 'string' },
    quiet: { type: 'string', default: 'Infinity' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

const AORTA: Readonly<Record<string, readonly string[]>> = {
  durable: ['--durability', 'durable'],
  process: ['--durability', 'process'],
  dgram: ['--durability', 'durable', '--udp', 'dgram'],
};

function contestants(generator: string): Contestant[] {
  const extra = flags.flags.split(' ').filter((flag) => flag !== '');
  const here = join(root, 'dist/cli.js');
  return flags.only.split(',').flatMap((word) => {
    if (word === 'kamailio')
      return kamailio(KAMAILIO, resolve(flags['kamailio-dir']), ['-x', 'fm', '-X', 'fm', '-A', 'CHILDREN=1']);
    if (word === 'echo') {
      const found = echo('echo in C, unread', generator);
      if (found === undefined) throw new Error('no udpfloor next to regload');
      return found;
    }
    const own = AORTA[word];
    if (own === undefined)
      throw new Error(`--only: "${word}" is none of kamailio, ${Object.keys(AORTA).join(', ')}, echo`);
    const name = `Aorta, ${own.filter((flag) => !flag.startsWith('--')).join(', ')}`;
    const build = (title: string, cli: string) => aorta(title, flags.node, cli, [...own, ...extra], flags.data);
    if (flags.against === undefined) return build(name, here);
    return [build(`${name}: this`, here), build(`${name}: that`, resolve(flags.against))];
  });
}

/** Ends the run under way; what it started is then stopped as after any other. */
const interrupted = new AbortController();

interface Trial {
  readonly contestant: Contestant;
  readonly login: Login;
  readonly round: number;
}

async function runOnce(trial: Trial, generator: string, users: string | undefined): Promise<Run> {
  const { contestant, login, round } = trial;
  const port = Number(flags.port);
  const accounts = login.mode === 'none' ? undefined : users;
  const server = await contestant.start(port, Number(flags['server-core']), login, accounts);
  try {
    const phases = await runGenerator(generator, {
      port,
      serverPid: server.pid,
      aors: Number(flags.aors),
      window: Number(flags.window),
      seconds: Number(flags.seconds),
      core: Number(flags['client-core']),
      validate: contestant.validate,
      login,
      signal: interrupted.signal,
    });
    const told = phases.map(
      (phase) =>
        `${phase.phase} ${Math.round(phase.ok_per_s)}/s ${phase.server_us_per_ok.toFixed(1)} us` +
        `${phase.retx > 0 ? ` (${phase.retx} sent again)` : ''} other ${phase.other_cpu_pct.toFixed(0)}%`,
    );
    console.error(`round ${round}, ${contestant.name}, ${login.title}: ${told.join('; ')}`);
    return { name: contestant.name, login, round, phases };
  } finally {
    await server.stop();
    await new Promise((done) => setTimeout(done, PAUSE_MS));
  }
}

/** What the whole machine uses, in percent of one core, over a second. */
async function busyPercent(): Promise<number> {
  const idleMs = () => cpus().reduce((sum, { times }) => sum + times.idle, 0);
  const [idle, start] = [idleMs(), performance.now()];
  await new Promise((done) => setTimeout(done, 1000));
  return 100 * (cpus().length - (idleMs() - idle) / (performance.now() - start));
}

/** Waits for a quiet moment; the run, or the least disturbed of several where none stayed quiet. */
async function runQuietly(trial: Trial, generator: string, users: string | undefined): Promise<Run> {
  const quiet = Number(flags.quiet);
  const noise = (run: Run) => Math.max(...run.phases.map((phase) => phase.other_cpu_pct));
  let best: Run | undefined;
  for (let n = 0; n < RUNS_MAX && (best === undefined || noise(best) > quiet); n++) {
    for (let s = 0; quiet < Infinity && s < WAIT_S_MAX && (await busyPercent()) > quiet; ) s++;
    const run = await runOnce(trial, generator, users);
    if (best === undefined || noise(run) < noise(best)) best = run;
  }
  if (best === undefined) throw new Error('no run');
  return best;
}

async function main(): Promise<void> {
  if (flags.help) return void process.stdout.write(HELP);
  if (process.platform !== 'linux' || availableParallelism() < 2) throw new Error('this needs Linux and two cores');
  const generator = findGenerator(resolve(flags.regload), join(root, '.build/regload'));
  const field = contestants(generator);
  const modes = logins(flags.auth.split(','), flags.algorithm.split(','));
  const needsUsers = modes.some(({ mode }) => mode !== 'none') && field.some(({ hasUsers }) => hasUsers);
  const here = join(root, 'dist/cli.js');
  const users = needsUsers ? makeUsers(flags.node, here, Number(flags.aors), flags.data ?? tmpdir()) : undefined;
  const runs: Run[] = [];
  try {
    for (let round = 1; round <= Number(flags.rounds); round++)
      for (const login of modes)
        for (const contestant of field) runs.push(await runQuietly({ contestant, login, round }, generator, users));
  } finally {
    if (users !== undefined) rmSync(users, { recursive: true, force: true });
  }
  if (flags.json) return console.log(JSON.stringify({ flags, runs }));
  const yardstick = field.find(({ name }) => name === KAMAILIO) ?? field[field.length - 1];
  console.log(report(runs, yardstick.name));
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interrupted.abort());
main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
