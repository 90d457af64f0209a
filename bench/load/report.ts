// From the phases of all runs to tables: medians, spread, ratios to Kamailio round by round, limits, and how noisy the machine was.

import type { Bar } from '../chart.ts';
import type { Table } from '../question.ts';
import { grouped } from '../results.ts';
import { atLeast, atMost, median, type Row, ratios, spread, targetTable } from '../rows.ts';
import { KAMAILIO } from './contestants.ts';
import type { Phase } from './generator.ts';
import type { Login } from './login.ts';

/** What one contestant did in one round. */
export interface Run {
  readonly name: string;
  readonly login: Login;
  readonly round: number;
  readonly phases: readonly Phase[];
}

type Missing = readonly (readonly [name: string, why: string])[];

const REGISTER = 'register-once';
const REFRESH = 'refresh';

function phaseOf(run: Run, phase: string): Phase {
  const found = run.phases.find((candidate) => candidate.phase === phase);
  if (found === undefined) throw new Error(`${run.name}: no phase ${phase}`);
  return found;
}

/** A figure as a share of Kamailio's, round by round: what drifts between rounds cancels out. */
function ofKamailio(
  runs: readonly Run[],
  name: string,
  phase: string,
  field: keyof Phase = 'server_us_per_ok',
): number[] {
  const perRound = (wanted: string) =>
    new Map(runs.filter((run) => run.name === wanted).map((run) => [run.round, Number(phaseOf(run, phase)[field])]));
  const theirs = perRound(KAMAILIO);
  const own = perRound(name);
  return ratios(
    [...own.values()],
    [...own.keys()].map((round) => theirs.get(round)),
  );
}

function namesOf(runs: readonly Run[]): string[] {
  return [...new Set(runs.map(({ name }) => name))];
}

function table(runs: readonly Run[], missing: Missing, title: string, phase: string, bars?: readonly Bar[]): Table {
  const row = (name: string) => {
    const phases = runs.filter((run) => run.name === name).map((run) => phaseOf(run, phase));
    const of = (field: keyof Phase) => phases.map((each) => Number(each[field]));
    const ratio = ofKamailio(runs, name, phase);
    return [
      name,
      grouped(median(of('ok_per_s'))),
      spread(of('server_us_per_ok'), 1),
      `${median(of('server_user_us_per_ok')).toFixed(1)} + ${median(of('server_sys_us_per_ok')).toFixed(1)}`,
      spread(ratio, 2),
      `${Math.max(0, Math.round(median(of('other_cpu_pct'))))} / ${Math.round(median(of('steal_pct')))}`,
    ];
  };
  return {
    head: [title, 'REGISTERs/s', 'CPU us', 'user + system', '/ Kamailio', 'other / steal %'],
    rows: [...missing.map(([name, why]) => [`${name}: ${why}`, '-', '-', '-', '-', '-']), ...namesOf(runs).map(row)],
    bars,
    data: runs,
  };
}

/** The contestant of this build whose name begins so, where --against has two. */
function isThis(name: string, of: string): boolean {
  return name === of || name === `${of}: this`;
}

interface Limit {
  readonly of: string;
  readonly what: string;
  readonly most: number;
}

/** CPU as a share of Kamailio's: rows with limits, and bars. Nothing where Kamailio did not run. */
function limited(runs: readonly Run[], phase: string, limits: readonly Limit[]): { rows: Row[]; bars: Bar[] } {
  const rows: Row[] = [];
  const bars: Bar[] = [];
  for (const { of, what, most } of limits) {
    const name = namesOf(runs).find((candidate) => isThis(candidate, of));
    const ratio = name === undefined ? [] : ofKamailio(runs, name, phase);
    if (ratio.length === 0) continue;
    rows.push(atMost(`${what}: CPU / Kamailio`, ratio, most, 2, ''));
    bars.push({ label: what, ratio: median(ratio), limit: most });
  }
  return { rows, bars };
}

const versions = (runs: readonly Run[], phase: string): Row[] =>
  namesOf(runs)
    .filter((name) => name.endsWith(': this'))
    .map((name) => {
      const that = name.replace(/this$/, 'that');
      const us = (of: string) =>
        runs.filter((run) => run.name === of).map((run) => phaseOf(run, phase).server_us_per_ok);
      const ratio = ratios(us(name), us(that));
      return {
        target: `${name.replace(/: this$/, '')}: CPU / that build`,
        measured: spread(ratio, 2),
        wanted: '',
        values: ratio,
      };
    });

function withRows(first: Table, rows: readonly Row[]): Table[] {
  return rows.length === 0 ? [first] : [first, targetTable(rows)];
}

export function refreshTables(runs: readonly Run[], missing: Missing): Table[] {
  const { rows, bars } = limited(runs, REFRESH, [
    { of: 'Aorta, durable', what: 'refresh, durable', most: 0.5 },
    { of: 'Aorta, process', what: 'refresh, process', most: 0.42 },
  ]);
  const durable = namesOf(runs).find((name) => isThis(name, 'Aorta, durable'));
  const rate = durable === undefined ? [] : ofKamailio(runs, durable, REFRESH, 'ok_per_s');
  const fits =
    rate.length === 0 ? [] : [atLeast('refreshes a second on one core, durable / Kamailio', rate, 2.2, 2, '')];
  return withRows(table(runs, missing, 'refresh', REFRESH, bars), [...rows, ...fits, ...versions(runs, REFRESH)]);
}

export function registerTables(runs: readonly Run[], missing: Missing, aors: number): Table[] {
  const most = aors >= 800_000 ? 0.65 : 0.75;
  const what = `first registration, durable, ${grouped(aors)} AORs`;
  const { rows, bars } = limited(runs, REGISTER, [{ of: 'Aorta, durable', what, most }]);
  return withRows(table(runs, missing, 'first registration', REGISTER, bars), [...rows, ...versions(runs, REGISTER)]);
}

const LOGIN_LIMITS = { reuse: 0.6, fresh: 0.6 } as const;

/** A table for each way to log in, and what logging in adds. */
export function loginTables(runs: readonly Run[], missing: Missing): Table[] {
  const rows: Row[] = [];
  const tables = [...new Set(runs.map(({ login }) => login.title))].flatMap((title) => {
    const group = runs.filter(({ login }) => login.title === title);
    const { mode, isPerChallenge } = group[0].login;
    const refresh = isPerChallenge ? title : `refresh, ${title}`;
    const limit = mode === 'reuse' || mode === 'fresh' ? LOGIN_LIMITS[mode] : undefined;
    const of = 'Aorta, process';
    const { rows: held, bars } =
      limit === undefined ? { rows: [], bars: [] } : limited(group, REFRESH, [{ of, what: refresh, most: limit }]);
    const first =
      mode !== 'fresh'
        ? { rows: [], bars: [] }
        : limited(group, REGISTER, [{ of, what: `first registration, ${title}`, most: 0.75 }]);
    rows.push(...held, ...first.rows);
    const refreshes = table(group, missing, refresh, REFRESH, [...bars, ...first.bars]);
    return mode === 'fresh'
      ? [table(group, missing, `first registration, ${title}`, REGISTER), refreshes]
      : [refreshes];
  });
  rows.push(...extra(runs));
  return rows.length === 0 ? tables : [...tables, targetTable(rows)];
}

/** What a refresh costs more than one without authentication by the same server, round by round. */
function extra(runs: readonly Run[]): Row[] {
  const refreshes = runs.filter(({ login }) => !login.isPerChallenge);
  const plain = new Map(
    refreshes
      .filter(({ login }) => login.mode === 'none')
      .map((run) => [`${run.name} ${run.round}`, phaseOf(run, REFRESH).server_us_per_ok]),
  );
  const differences = new Map<string, number[]>();
  for (const run of refreshes) {
    const without = plain.get(`${run.name} ${run.round}`);
    if (run.login.mode === 'none' || without === undefined) continue;
    const key = `${run.name}, ${run.login.title}: CPU more than without authentication`;
    const list = differences.get(key) ?? [];
    differences.set(key, [...list, phaseOf(run, REFRESH).server_us_per_ok - without]);
  }
  return [...differences].map(([target, us]) => ({ target, measured: spread(us, 1, 'us'), wanted: '', values: us }));
}
