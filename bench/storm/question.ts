// Many phones that come back at once while others refresh, on Kamailio and on Aorta in turn, each on one core with the phones on
// another.

import { fork } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { tied } from '../children.ts';
import { field, KAMAILIO } from '../load/contestants.ts';
import { DOMAIN, logins } from '../load/login.ts';
import type { Contestant } from '../load/servers.ts';
import { Missing, type Question, type Table } from '../question.ts';
import { grouped } from '../results.ts';
import { partProgram } from '../root.ts';
import { atMost, median, type Row, ratios, spread, targetTable } from '../rows.ts';
import type { Settings } from '../settings.ts';
import type { StormReport } from './phones.ts';

interface Result {
  readonly name: string;
  readonly reports: readonly StormReport[];
}

function phones(settings: Settings): Promise<StormReport> {
  const child = tied(
    fork(partProgram('phones'), {
      execPath: 'taskset',
      execArgv: ['-c', String(settings.clientCore), process.execPath],
      signal: settings.signal,
      serialization: 'advanced', // a figure that was not reached is NaN
    }),
  );
  child.send({
    port: settings.port,
    domain: DOMAIN,
    phones: settings.number('aors', 1_000_000, 2000),
    live: settings.isSmall ? 200 : 20_000,
    refreshesPerS: settings.number('rate', 500, 100),
    withinS: settings.isSmall ? 1 : 10,
    secondsMax: settings.number('seconds', 300, 20),
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('message', (report) => resolve(report as StormReport));
    child.once('exit', () => reject(new Error('the process of the phones ended')));
  });
}

async function measure(settings: Settings, one: Contestant): Promise<StormReport> {
  settings.tell(one.name);
  const server = await one.start(settings.port, settings.serverCore, logins(['none'], ['md5'])[0], undefined);
  try {
    return await phones(settings);
  } finally {
    await server.stop();
  }
}

const LINES: readonly (readonly [string, (report: StormReport) => number, digits: number])[] = [
  ['half of them registered after, s', (r) => r.halfAfterS, 1],
  ['all of them registered after, s', (r) => r.allAfterS, 1],
  ['registered at the end', (r) => r.registered, 0],
  ['requests', (r) => r.requests, 0],
  ['sent again for want of an answer', (r) => r.retransmissions, 0],
  ['given up after 32 s', (r) => r.gaveUp, 0],
  ['put off with 503', (r) => r.putOff, 0],
  ['other refusals', (r) => r.otherRefusals, 0],
  ['registration, p99, ms', (r) => r.registerP99Ms, 0],
  ['registration, worst, ms', (r) => r.registerWorstMs, 0],
  ['refreshes meanwhile', (r) => r.refreshes, 0],
  ['refreshes lost', (r) => r.refreshesLost, 0],
  ['refresh, p50, ms', (r) => r.refreshP50Ms, 0],
  ['refresh, p99, ms', (r) => r.refreshP99Ms, 0],
  ['refresh, worst, ms', (r) => r.refreshWorstMs, 0],
];

function cell(values: readonly number[], digits: number): string {
  if (values.some(Number.isNaN)) return 'not reached';
  return digits > 0 || values.length > 1 ? spread(values, digits) : grouped(values[0]);
}

/** The limits, where durable ran with storm control and without. */
function limits(results: readonly Result[]): Row[] {
  const of = (name: string) =>
    results.find((result) => result.name === name || result.name === `${name}: this`)?.reports;
  const own = of('Aorta, durable');
  const free = of('Aorta, durable, storm control off');
  if (own === undefined) return [];
  const rows = [
    atMost(
      'refresh meanwhile, durable, p99',
      own.map(({ refreshP99Ms }) => refreshP99Ms),
      150,
      0,
      'ms',
    ),
    atMost(
      'refreshes lost, durable',
      own.map(({ refreshesLost }) => refreshesLost),
      0,
      0,
      '',
    ),
  ];
  if (free === undefined) return rows;
  const times = ratios(
    own.map(({ allAfterS }) => allAfterS),
    free.map(({ allAfterS }) => allAfterS),
  );
  return [atMost('time until all are back, of that with storm control off', times, 1.15, 2, 'x'), ...rows];
}

async function run(settings: Settings): Promise<Table[]> {
  if (process.platform !== 'linux' || availableParallelism() < 2) throw new Missing('Linux and two cores are needed');
  const { contestants, missing } = field(settings, settings.words('only', 'kamailio,off,durable', 'off,durable'));
  const reports = new Map(contestants.map(({ name }) => [name, [] as StormReport[]]));
  for (let round = 0; round < settings.number('rounds', 3, 1); round++)
    for (const one of contestants) reports.get(one.name)?.push(await measure(settings, one));
  const results = [...reports].map(([name, list]) => ({ name, reports: list }));
  const phoneCount = grouped(settings.number('aors', 1_000_000, 2000));
  const title = `${phoneCount} phones within ${settings.isSmall ? 1 : 10} s`;
  const table = {
    head: [title, ...missing.map(([name]) => name), ...results.map(({ name }) => name)],
    rows: LINES.map(([what, value, digits]) => [
      what,
      ...missing.map(([, why]) => why),
      ...results.map(({ reports: list }) => cell(list.map(value), digits)),
    ]),
    bars: bars(results),
    data: results,
  };
  const rows = limits(results);
  return rows.length === 0 ? [table] : [table, targetTable(rows)];
}

function bars(results: readonly Result[]): { label: string; ratio: number }[] {
  const theirs = results.find(({ name }) => name === KAMAILIO)?.reports;
  if (theirs === undefined) return [];
  return results
    .filter(({ name }) => name !== KAMAILIO)
    .map(({ name, reports }) => ({
      label: `storm, until all are back: ${name.replace('Aorta, ', '')}`,
      ratio: median(reports.map(({ allAfterS }, i) => allAfterS / theirs[i].allAfterS)),
    }))
    .filter(({ ratio }) => Number.isFinite(ratio));
}

export const STORM_QUESTION: Question = {
  name: 'storm',
  asks: '--aors phones that register within ten seconds, while others refresh: how long, and who waits',
  against: 'rounds',
  run,
};
