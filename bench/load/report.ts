// From the phases of all runs to Markdown: medians, spread, ratios to the yardstick, and how noisy the machine was.

import { grouped, markdownTable } from '../results.ts';
import type { Phase } from './generator.ts';
import type { Login } from './login.ts';

/** What one contestant did in one round. */
export interface Run {
  readonly name: string;
  readonly login: Login;
  readonly round: number;
  readonly phases: readonly Phase[];
}

function middle(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

function phaseOf(run: Run, phase: string): Phase {
  const found = run.phases.find((candidate) => candidate.phase === phase);
  if (found === undefined) throw new Error(`${run.name}: no phase ${phase}`);
  return found;
}

/** The ratio of CPU per request to the yardstick's, round by round: what drifts between rounds cancels out. */
function ratios(runs: readonly Run[], name: string, yardstick: string, phase: string): number[] {
  const perRound = (wanted: string) =>
    new Map(runs.filter((run) => run.name === wanted).map((run) => [run.round, phaseOf(run, phase).server_us_per_ok]));
  const theirs = perRound(yardstick);
  return [...perRound(name)].flatMap(([round, us]) => {
    const other = theirs.get(round);
    return other === undefined ? [] : [us / other];
  });
}

function range(values: readonly number[], digits: number): string {
  return `${Math.min(...values).toFixed(digits)} - ${Math.max(...values).toFixed(digits)}`;
}

function row(runs: readonly Run[], name: string, yardstick: string, phase: string): string[] {
  const phases = runs.filter((run) => run.name === name).map((run) => phaseOf(run, phase));
  const of = (field: keyof Phase) => phases.map((each) => Number(each[field]));
  const ratio = ratios(runs, name, yardstick, phase);
  return [
    name,
    grouped(middle(of('ok_per_s'))),
    middle(of('server_us_per_ok')).toFixed(1),
    range(of('server_us_per_ok'), 1),
    `${middle(of('server_user_us_per_ok')).toFixed(1)} + ${middle(of('server_sys_us_per_ok')).toFixed(1)}`,
    ratio.length > 0 ? middle(ratio).toFixed(2) : '-',
    ratio.length > 0 ? range(ratio, 2) : '-',
    `${Math.max(0, Math.round(middle(of('other_cpu_pct'))))} / ${Math.round(middle(of('steal_pct')))}`,
  ];
}

/** Two tables for each way to log in, and what logging in adds. Ratios below 1 are cheaper than the yardstick. */
export function report(runs: readonly Run[], yardstick: string): string {
  const titles = [...new Set(runs.map(({ login }) => login.title))];
  const tables = titles.flatMap((title) => {
    const group = runs.filter(({ login }) => login.title === title);
    const suffix = group[0].login.mode === 'none' ? '' : `: ${title}`;
    const { isPerChallenge } = group[0].login;
    if (isPerChallenge) return [table(group, yardstick, title, 'refresh')];
    return [
      table(group, yardstick, `initial registration${suffix}`, 'register-once'),
      table(group, yardstick, `refresh${suffix}`, 'refresh'),
    ];
  });
  return `${[...tables, ...extra(runs)].join('\n\n')}\n`;
}

function table(runs: readonly Run[], yardstick: string, title: string, phase: string): string {
  const names = [...new Set(runs.map(({ name }) => name))];
  const head = [
    title,
    'REGISTERs/s',
    'CPU us',
    'min - max',
    'user + system',
    `CPU / ${yardstick}`,
    'min - max',
    'other / steal %',
  ];
  return markdownTable(
    head,
    names.map((name) => row(runs, name, yardstick, phase)),
  );
}

/** What a refresh costs more than one without authentication by the same server, round by round. */
function extra(runs: readonly Run[]): string[] {
  const refreshes = runs.filter(({ login }) => !login.isPerChallenge);
  const plain = new Map(
    refreshes
      .filter(({ login }) => login.mode === 'none')
      .map((run) => [`${run.name} ${run.round}`, phaseOf(run, 'refresh').server_us_per_ok]),
  );
  const differences = new Map<string, number[]>();
  for (const run of refreshes) {
    const without = plain.get(`${run.name} ${run.round}`);
    if (run.login.mode === 'none' || without === undefined) continue;
    const key = `${run.name}: ${run.login.title}`;
    const list = differences.get(key) ?? [];
    differences.set(key, [...list, phaseOf(run, 'refresh').server_us_per_ok - without]);
  }
  if (differences.size === 0) return [];
  const rows = [...differences].map(([key, us]) => [key, middle(us).toFixed(1), range(us, 1)]);
  return [markdownTable(['refresh, more than without authentication', 'CPU us', 'min - max'], rows)];
}
