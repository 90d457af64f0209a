// Where the time of a REGISTER goes: the CPU that it costs, and that cost divided among its steps by a sampling profile of the same load.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { tied } from '../children.ts';
import { installed } from '../compile.ts';
import type { Phase } from '../load/generator.ts';
import { type Login, logins, makeUsers } from '../load/login.ts';
import { runLoad } from '../load/run.ts';
import { aorta } from '../load/servers.ts';
import { Missing, type Question, type Table } from '../question.ts';
import { median, spread } from '../rows.ts';
import type { Settings } from '../settings.ts';
import { type Span, STEPS, sharesOf } from './account.ts';

const AORS = 100_000;
/** As in the questions of the load. */
const WINDOW = 1024;
const LOGIN_WINDOW = 256;
const HERTZ = 5000;
/** V8 writes the addresses of its functions into a file that perf reads. */
const NAMED = '--perf-basic-prof';
const [PLAIN, REUSED, CHALLENGED] = logins(['none', 'reuse', 'fresh'], ['md5']);

/** A server, and the titles of its columns. */
interface Asked {
  readonly durability: 'durable' | 'process';
  readonly login: Login;
  readonly first?: string;
  readonly refresh?: string;
}

const ASKED: readonly Asked[] = [
  { durability: 'process', login: PLAIN, refresh: 'refresh, process' },
  { durability: 'durable', login: PLAIN, refresh: 'refresh, durable', first: 'first, durable' },
  { durability: 'process', login: REUSED, refresh: 'nonce reused, MD5' },
  { durability: 'process', login: CHALLENGED, refresh: 'a 401 every time, MD5', first: 'first behind a 401, MD5' },
];

/** Of one round. */
interface Column {
  readonly title: string;
  /** CPU of a request, in microseconds. */
  readonly us: number;
  readonly shares: ReadonlyMap<string, number>;
}

interface Ran {
  readonly phases: readonly Phase[];
  /** Of the first registrations and of the refreshes. */
  readonly spans: readonly [Span, Span];
}

/** @param profile the file of a profile; undefined: none is made */
async function runOnce(
  settings: Settings,
  { durability, login }: Asked,
  users: string,
  profile?: string,
): Promise<Ran> {
  const { port, node, cli, base, signal } = settings;
  const contestant = aorta(durability, node, cli, ['--durability', durability], base);
  const hasUsers = login.mode !== 'none';
  const server = await contestant.start(port, settings.serverCore, login, hasUsers ? users : undefined);
  const profiler = profile === undefined ? undefined : record(server.pid, profile);
  const seconds = settings.number('seconds', 4, 0.5);
  const warmup = settings.isSmall ? 0.1 : 1;
  try {
    const from = monotonicSeconds();
    const phases = await runLoad({
      ...{ port, serverPid: server.pid, seconds, warmup, login, signal },
      aors: settings.number('aors', AORS, 2000),
      window: settings.number('window', hasUsers ? LOGIN_WINDOW : WINDOW, 64),
      core: settings.clientCore,
      validate: true,
    });
    const to = monotonicSeconds();
    const refreshes = to - seconds;
    return {
      phases,
      spans: [
        { from, to: refreshes - warmup },
        { from: refreshes, to },
      ],
    };
  } finally {
    profiler?.kill('SIGINT');
    if (profiler !== undefined) await once(profiler, 'exit');
    await server.stop();
  }
}

function record(pid: number, file: string) {
  const args = ['record', '-q', '-g', '-k', 'CLOCK_MONOTONIC', '-F', HERTZ, '-p', pid, '-o', file].map(String);
  return tied(spawn('perf', args, { stdio: 'ignore' }));
}

function monotonicSeconds(): number {
  return Number(process.hrtime.bigint()) / 1e9;
}

/** What it costs is measured without a profiler beside it, and with V8's usual functions. */
async function columnsOf(settings: Settings, asked: Asked, users: string): Promise<Column[]> {
  settings.tell(`${asked.refresh ?? asked.first}: its cost`);
  const { phases } = await runOnce(settings, asked, users);
  settings.tell(`${asked.refresh ?? asked.first}: its steps`);
  const profile = join(settings.fresh(), 'perf.data');
  process.env.NODE_OPTIONS = NAMED;
  try {
    const { spans } = await runOnce(settings, asked, users, profile);
    const shares = sharesOf(profile, spans, join(dirname(settings.cli), 'shard-task.js'));
    return [asked.first, asked.refresh].flatMap((title, n) =>
      title === undefined ? [] : [{ title, us: phases[n].server_us_per_ok, shares: shares[n] }],
    );
  } finally {
    delete process.env.NODE_OPTIONS;
  }
}

/** The median cost of all rounds, divided by their mean shares, so that the steps add up to it. */
function tableOf(rounds: readonly (readonly Column[])[]): Table {
  const columns = rounds[0].map(({ title }, n) => {
    const all = rounds.map((columns) => columns[n]);
    const us = all.map((column) => column.us);
    const usOf = (step: string) =>
      (median(us) * all.reduce((sum, { shares }) => sum + (shares.get(step) ?? 0), 0)) / all.length;
    return { title, us, usOf };
  });
  const steps = STEPS.map((step) => [step, ...columns.map(({ usOf }) => usOf(step).toFixed(2))]);
  return {
    head: ['CPU us', ...columns.map(({ title }) => title)],
    rows: [...steps, ['**all**', ...columns.map(({ us }) => spread(us, 2))]],
    note: `A profile of ${HERTZ} samples a second, its shares applied to the cost without it. A function that V8 has put into its caller counts for the caller.`,
    data: rounds.map((columns) =>
      columns.map(({ title, us, shares }) => ({ title, us, shares: Object.fromEntries(shares) })),
    ),
  };
}

async function ask(settings: Settings): Promise<Table[]> {
  if (process.platform !== 'linux') throw new Missing('Linux is needed');
  if (!installed('perf')) throw new Missing('perf is needed (Debian: linux-perf)');
  const users = makeUsers(settings.node, settings.cli, settings.number('aors', AORS, 2000), settings.base);
  try {
    const rounds: Column[][] = [];
    for (let n = 0; n < settings.number('rounds', 3, 1); n++) {
      const columns: Column[] = [];
      for (const asked of ASKED) columns.push(...(await columnsOf(settings, asked, users)));
      rounds.push(columns);
    }
    return [tableOf(rounds)];
  } finally {
    rmSync(users, { recursive: true, force: true });
  }
}

export const ACCOUNT_QUESTION: Question = {
  name: 'account',
  asks: 'where the time of a REGISTER goes, by a profile of perf',
  against: 'twice',
  run: ask,
};
