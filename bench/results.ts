// Reading what tinybench measured, and printing rows as Markdown.

import type { Statistics, Task } from 'tinybench';

function latency(task: Task): Statistics {
  const { result } = task;
  if (result.state === 'errored') throw result.error;
  if (!('latency' in result)) throw new Error(`${task.name}: not measured (${result.state})`);
  return result.latency;
}

/** The fastest iteration, in milliseconds: what the code costs when nobody else has the core. */
export function fastest(task: Task): number {
  return latency(task).min;
}

/** The median iteration, in milliseconds. */
export function median(task: Task): number {
  return latency(task).p50;
}

/** A whole number with commas at the thousands: 1234567 → 1,234,567. */
export function grouped(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

type Cells = readonly (readonly string[])[];

/** A table in Markdown: the first column flush left, the others flush right. */
export function markdownTable(head: readonly string[], rows: Cells): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  const rule = head.map((_, i) => (i === 0 ? '---' : '---:'));
  return [line(head), line(rule), ...rows.map(line)].join('\n');
}
