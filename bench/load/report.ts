// From the phases of all runs to Markdown: medians, spread, ratios to the yardstick, and how noisy the machine was.

import { grouped, markdownTable } from '../results.ts';
import type { Phase } from './generator.ts';

/** What one contestant did in one round. */
export interface Run {
  readonly name: string;
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

/** Both tables. Ratios below 1 are cheaper than the yardstick. */
export function report(runs: readonly Run[], yardstick: string): string {
  const names = [...new Set(runs.map(({ name }) => name))];
  const head = (title: string) => [
    title,
    'REGISTERs/s',
    'CPU us',
    'min - max',
    'user + system',
    `CPU / ${yardstick}`,
    'min - max',
    'other / steal %',
  ];
  const table = (title: string, phase: string) =>
    markdownTable(
      head(title),
      names.map((name) => row(runs, name, yardstick, phase)),
    );
  return `${table('initial registration', 'register-once')}\n\n${table('refresh', 'refresh')}\n`;
}
