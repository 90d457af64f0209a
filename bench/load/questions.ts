// What a REGISTER costs under load: first registrations, refreshes and logins, of Aorta and of Kamailio in one run, in turn, each on
// one core with the load generator on another.

import { rmSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import { Missing, type Question, type Table } from '../question.ts';
import type { Settings } from '../settings.ts';
import { type Field, field } from './contestants.ts';
import { regloadProgram } from './generator.ts';
import { type Login, logins, makeUsers } from './login.ts';
import { loginTables, type Run, refreshTables, registerTables } from './report.ts';
import { runLoad } from './run.ts';
import type { Contestant } from './servers.ts';

const PAUSE_MS = 500;
/** On their way at a time; of logins fewer: storm control puts first ones off that come in such a crowd. */
const WINDOW = 1024;
const LOGIN_WINDOW = 256;
/** Per contestant and round, where quiet moments are asked for. */
const RUNS_MAX = 5;
const WAIT_S_MAX = 30;

interface Trial {
  readonly contestant: Contestant;
  readonly login: Login;
  readonly round: number;
  readonly aors: number;
  /** A data directory with them, where clients log in. */
  readonly users: string | undefined;
  readonly window: number;
}

async function runOnce(settings: Settings, { contestant, login, round, aors, users, window }: Trial): Promise<Run> {
  const { port } = settings;
  const server = await contestant.start(port, settings.serverCore, login, login.mode === 'none' ? undefined : users);
  try {
    const phases = await runLoad({
      port,
      serverPid: server.pid,
      aors,
      window: settings.number('window', window, 64),
      seconds: settings.number('seconds', 4, 0.5),
      warmup: settings.isSmall ? 0.1 : 1,
      core: settings.clientCore,
      validate: contestant.validate,
      login,
      signal: settings.signal,
    });
    const told = phases.map(
      (phase) =>
        `${phase.phase} ${Math.round(phase.ok_per_s)}/s ${phase.server_us_per_ok.toFixed(1)} us` +
        `${phase.retx > 0 ? ` (${phase.retx} sent again)` : ''} other ${phase.other_cpu_pct.toFixed(0)}%`,
    );
    settings.tell(`round ${round}, ${contestant.name}, ${login.title}: ${told.join('; ')}`);
    return { name: contestant.name, login, round, phases };
  } finally {
    await server.stop();
    await new Promise((done) => setTimeout(done, settings.isSmall ? 0 : PAUSE_MS));
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
async function runQuietly(settings: Settings, trial: Trial): Promise<Run> {
  const quiet = settings.number('quiet', Number.MAX_VALUE);
  const noise = (run: Run) => Math.max(...run.phases.map((phase) => phase.other_cpu_pct));
  let best = await runOnceQuiet(settings, trial, quiet);
  for (let n = 1; n < RUNS_MAX && noise(best) > quiet; n++) {
    const run = await runOnceQuiet(settings, trial, quiet);
    if (noise(run) < noise(best)) best = run;
  }
  return best;
}

async function runOnceQuiet(settings: Settings, trial: Trial, quiet: number): Promise<Run> {
  for (let s = 0; quiet < Number.MAX_VALUE && s < WAIT_S_MAX && (await busyPercent()) > quiet; ) s++;
  return runOnce(settings, trial);
}

interface Asked {
  readonly runs: readonly Run[];
  readonly missing: Field['missing'];
  readonly aors: number;
}

async function ask(
  settings: Settings,
  words: readonly string[],
  modes: readonly Login[],
  aors: number,
  window: number,
): Promise<Asked> {
  if (process.platform !== 'linux' || availableParallelism() < 2) throw new Missing('Linux and two cores are needed');
  regloadProgram();
  const { contestants, missing } = field(settings, words);
  const needsUsers = modes.some(({ mode }) => mode !== 'none') && contestants.some(({ hasUsers }) => hasUsers);
  const users = needsUsers ? makeUsers(settings.node, settings.cli, aors, settings.base) : undefined;
  const runs: Run[] = [];
  try {
    for (let round = 1; round <= settings.number('rounds', 5, 1); round++)
      for (const login of modes)
        for (const contestant of contestants)
          runs.push(await runQuietly(settings, { contestant, login, round, aors, users, window }));
  } finally {
    if (users !== undefined) rmSync(users, { recursive: true, force: true });
  }
  return { runs, missing, aors };
}

const AORS = 100_000;
const MANY_AORS = 800_000;
const plain = new WeakMap<Settings, Map<number, Promise<Asked>>>();

/** `register` and `refresh` are phases of the same runs, which are made once for as many AORs. */
function askPlain(settings: Settings, usual = AORS): Promise<Asked> {
  const words = settings.words('only', 'kamailio,durable,process,echo', 'kamailio,durable,echo');
  const aors = settings.number('aors', usual, 2000);
  const made = plain.get(settings) ?? new Map<number, Promise<Asked>>();
  const asked = made.get(aors) ?? ask(settings, words, logins(['none'], ['md5']), aors, WINDOW);
  plain.set(settings, made.set(aors, asked));
  return asked;
}

async function answer(asked: Promise<Asked>, tables: (asked: Asked) => Table[]): Promise<Table[]> {
  return tables(await asked);
}

export const LOAD_QUESTIONS: readonly Question[] = [
  {
    name: 'refresh',
    asks: 'REGISTERs a second and server CPU of a refresh, beside Kamailio',
    against: 'rounds',
    run: (settings) => answer(askPlain(settings), ({ runs, missing }) => refreshTables(runs, missing)),
  },
  {
    name: 'register',
    asks: 'the same of a first registration, in a fresh process with --aors of them',
    against: 'rounds',
    run: (settings) => answer(askPlain(settings), ({ runs, missing, aors }) => registerTables(runs, missing, aors)),
  },
  {
    name: 'register-many',
    asks: `the same where ${MANY_AORS / 1000},000 AORs register`,
    against: 'rounds',
    run: (settings) =>
      answer(askPlain(settings, MANY_AORS), ({ runs, missing, aors }) => registerTables(runs, missing, aors)),
  },
  {
    name: 'login',
    asks: 'the same with passwords: a nonce reused, a 401 every time, a 401 and nothing more',
    against: 'rounds',
    run(settings) {
      const modes = settings.words('auth', 'none,reuse,fresh,challenge');
      const modesAsked = logins(modes, settings.words('algorithm', 'md5,sha-256', 'md5'));
      const words = settings.words('only', 'kamailio,process,durable', 'process');
      const asked = ask(settings, words, modesAsked, settings.number('aors', 50_000, 1000), LOGIN_WINDOW);
      return answer(asked, ({ runs, missing }) => loginTables(runs, missing));
    },
  },
];
