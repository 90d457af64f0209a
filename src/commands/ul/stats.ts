// `aorta ul stats`: the number of bindings, and the results of requests since the start.

import { AdminClient, type AdminOptions } from '../terminal/admin-client.ts';
import { textTable } from '../terminal/text-table.ts';
import { write } from './write.ts';

const NOW = ['bindings', 'aors'];
const SINCE_THE_START = ['registered', 'refreshed', 'unregistered', 'evicted', 'expired', 'ok'];

export async function stats(options: AdminOptions): Promise<void> {
  const counters = await new AdminClient(options).get<Record<string, number>>('/v1/counters');
  if (options.json) return write(`${JSON.stringify(counters)}\n`);
  const rows = (names: readonly string[]) => names.map((name) => [name, number(counters[name] ?? 0)]);
  const { refusalsIn } = await import('../terminal/refusals.ts');
  const { challenged, refused } = refusalsIn(counters, (name) => counters[name]);
  const totals = [
    ['challenged', number(challenged)],
    ['refused', number(Math.max(0, counters.refused - challenged))],
  ];
  await write(`${await textTable([['now', ''], ...rows(NOW)])}\n`);
  await write(await textTable([['since the start', ''], ...rows(SINCE_THE_START), ...totals]));
  if (refused.length === 0) return;
  const because = refused.map(([reason, value]) => [reason, number(value)]);
  await write(`\n${await textTable([['refused because', 'since the start'], ...because])}`);
}

function number(n: number): string {
  return n.toLocaleString('en-US');
}
