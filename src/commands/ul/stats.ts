// `aorta ul stats`: how many bindings there are, and what happened to requests since the start.

import { AdminClient, type AdminOptions } from '../terminal/admin-client.ts';
import { textTable } from '../terminal/text-table.ts';
import { write } from './write.ts';

const NOW = ['bindings', 'aors'];
const SINCE_THE_START = ['registered', 'refreshed', 'unregistered', 'evicted', 'expired', 'ok'];

export async function stats(options: AdminOptions): Promise<void> {
  const counters = await new AdminClient(options).get<Record<string, number>>('/v1/counters');
  if (options.json) return write(`${JSON.stringify(counters)}\n`);
  const rows = (names: readonly string[]) => names.map((name) => [name, number(counters[name] ?? 0)]);
  const reasons = Object.keys(counters)
    .filter((name) => name.startsWith('refused_') && name !== 'refused_connections' && counters[name] > 0)
    .sort((a, b) => counters[b] - counters[a]);
  const { outcomeOfReason } = await import('../../core/uas/reasons.ts');
  const isChallenge = (name: string) => outcomeOfReason(name.slice(REFUSED.length)) === 'challenged';
  const challenges = reasons.filter(isChallenge);
  const challenged = challenges.reduce((sum, name) => sum + counters[name], 0);
  const totals = [
    ['challenged', number(challenged)],
    ['refused', number(Math.max(0, counters.refused - challenged))],
  ];
  await write(`${await textTable([['now', ''], ...rows(NOW)])}\n`);
  await write(await textTable([['since the start', ''], ...rows(SINCE_THE_START), ...totals]));
  const others = reasons.filter((name) => !isChallenge(name));
  if (others.length === 0) return;
  const because = others.map((name) => [name.slice(REFUSED.length), number(counters[name])]);
  await write(`\n${await textTable([['refused because', 'since the start'], ...because])}`);
}

const REFUSED = 'refused_';

function number(n: number): string {
  return n.toLocaleString('en-US');
}
