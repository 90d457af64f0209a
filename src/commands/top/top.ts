// `aorta top`: on a terminal the whole screen, with keys; elsewhere, and with --count or --json, a page or a line of JSON for each look.

import { setTimeout as delay } from 'node:timers/promises';
import { sizeText } from '../../server/process/size-text.ts';
import { print } from '../../server/process/terminal.ts';
import { AdminClient, type AdminOptions } from '../terminal/admin-client.ts';
import { CommandError } from '../terminal/command-action.ts';
import { secondsOf } from '../terminal/seconds.ts';
import { tableColumns, textTable } from '../terminal/text-table.ts';
import { liveTop } from './live-top.ts';
import { type Figures, figures, look, type TopSender } from './top-figures.ts';
import { figure } from './top-tables.ts';

const REASONS_SHOWN = 8;
const TOP_SENDERS_SHOWN = 5;

export interface TopOptions extends AdminOptions {
  readonly interval: string;
  readonly count?: string;
}

export async function top(options: TopOptions): Promise<void> {
  const client = new AdminClient(options);
  const seconds = secondsOf('--interval', options.interval);
  if (!(seconds >= 0.2 && seconds <= 3600)) throw new CommandError('--interval: expected 0.2 to 3600 seconds', 2);
  const isLive = process.stdin.isTTY && process.stdout.isTTY && options.count === undefined && !options.json;
  if (isLive) return liveTop(client, seconds * 1000);
  let before = await look(client, TOP_SENDERS_SHOWN);
  for (let n = 0; options.count === undefined || n < Number(options.count); n++) {
    await delay(seconds * 1000);
    const now = await look(client, TOP_SENDERS_SHOWN);
    const found = figures(before, now);
    print(options.json ? `${JSON.stringify(found)}\n` : await pageText(client.url, found, tableColumns(options)));
    before = now;
  }
  return undefined;
}

async function pageText(url: string, found: Figures, columns: number): Promise<string> {
  const { bindings, aors, perSecond, latencyMs, shards, refusals, topSenders } = found;
  const ms = (value: number | null) => (value === null ? '-' : `≤${value} ms`);
  const table = async (head: readonly string[], rows: readonly (readonly string[])[]) =>
    rows.length === 0 ? '' : `\n${await textTable([head, ...rows], columns)}`;
  const parts = await Promise.all([
    `${url}  ${figure(bindings)} bindings  ${figure(aors)} AORs  latency p50 ${ms(latencyMs.p50)}  p95 ${ms(latencyMs.p95)}  p99 ${ms(latencyMs.p99)}\n`,
    table(
      ['', 'per second'],
      Object.entries(perSecond).map(([name, value]) => [name.replaceAll('_', ' '), figure(value)]),
    ),
    table(
      ['shard', 'bindings', 'messages/s', 'busy', 'disk', 'in its rings'],
      shards.map((s) => [
        String(s.shard),
        figure(s.bindings),
        figure(s.perSecond),
        `${s.busyPercent.toFixed(0)}%`,
        `${s.diskPercent.toFixed(0)}%`,
        sizeText(s.ringBytes),
      ]),
    ),
    table(
      ['refused because', 'per second'],
      Object.entries(refusals)
        .slice(0, REASONS_SHOWN)
        .map(([name, value]) => [name, figure(value)]),
    ),
    table(['source', 'messages/s, about', 'refused/s'], senderRows(topSenders.sources)),
    table(['address-of-record', 'messages/s, about', 'refused/s'], senderRows(topSenders.aors)),
  ]);
  return parts.join('');
}

function senderRows(senders: readonly TopSender[]): string[][] {
  return senders.map(({ name, perSecond, refusedPerSecond }) => [name, figure(perSecond), figure(refusedPerSecond)]);
}
