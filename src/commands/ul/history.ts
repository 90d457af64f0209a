// `aorta ul history`: the newest changes of bindings, in words.

import type { Binding } from '../../core/binding/binding-view.ts';
import { AdminClient, type AdminOptions } from '../terminal/admin-client.ts';
import { CommandError } from '../terminal/command-action.ts';
import { secondsOf } from '../terminal/seconds.ts';
import { tableColumns, textTable } from '../terminal/text-table.ts';
import { write } from './write.ts';

/** Columns for time, change and contact are never cut. */
const CHANGE_RULES = {
  spare: ['call-id, cseq', 'user agent', 'from', 'by'],
  whole: ['at', 'change', 'aor', 'contact'],
};

interface PastChange {
  readonly aor?: string | null;
  readonly at: number;
  readonly type: string;
  readonly by: string;
  readonly user?: string;
  readonly contact?: string;
  readonly source?: Binding['source'];
  readonly callId?: string;
  readonly cseq?: number;
  readonly userAgent?: string;
  readonly program?: string;
}

export interface HistoryOptions extends AdminOptions {
  readonly limit: string;
  readonly since?: string;
  readonly until?: string;
}

export async function history(aor: string | undefined, options: HistoryOptions): Promise<void> {
  const query = new URLSearchParams({ limit: options.limit });
  for (const flag of ['since', 'until'] as const) {
    const text = options[flag];
    if (text !== undefined) query.set(flag, String(momentOf(`--${flag}`, text)));
  }
  const path = aor === undefined ? '/v1/history' : `/v1/aors/${encodeURIComponent(aor)}/history`;
  const found = await new AdminClient(options).get<{ aor?: string; items: PastChange[] }>(`${path}?${query}`);
  if (options.json) return write(`${JSON.stringify(found)}\n`);
  const heads = ['at', 'change', 'contact', 'by', 'from', 'call-id, cseq', 'user agent'];
  if (found.items.length === 0) return write(noChanges(aor, options));
  const columns = tableColumns(options);
  const rows = found.items.map(({ at, type, by, user, contact, source, callId, cseq, userAgent, program }) => [
    columns === Number.POSITIVE_INFINITY ? new Date(at).toISOString() : shortTime(at),
    type,
    contact ?? '',
    user ?? (program === undefined ? by : `${by}, ${program}`),
    source ? `${source.transport}:${source.address}:${source.port}` : '',
    [callId, cseq].filter((value) => value !== undefined).join(' '),
    userAgent ?? '',
  ]);
  if (found.aor !== undefined)
    return write(`${found.aor}\n${await textTable([heads, ...rows], columns, CHANGE_RULES)}`);
  const named = rows.map(([at, type, ...rest], row) => [at, type, found.items[row].aor ?? '', ...rest]);
  await write(await textTable([['at', 'change', 'aor', ...heads.slice(2)], ...named], columns, CHANGE_RULES));
}

function noChanges(aor: string | undefined, { since }: HistoryOptions): string {
  const whose = aor === undefined ? '' : ` of ${aor}`;
  const when = since === undefined ? '' : ` since ${new Date(momentOf('--since', since)).toISOString()}`;
  return `no changes${whose} known${when}\n`;
}

/** Local time, without the date for today. */
function shortTime(at: number): string {
  const date = new Date(at);
  const day = (one: Date) =>
    [one.getFullYear(), one.getMonth() + 1, one.getDate()].map((part) => String(part).padStart(2, '0')).join('-');
  const time = date.toTimeString().slice(0, 8);
  return day(date) === day(new Date()) ? time : `${day(date)} ${time}`;
}

/** Epoch ms of a time, or of a duration ago. */
function momentOf(flag: string, text: string): number {
  const at = /^\d+[smhd]$/.test(text) ? Date.now() - 1000 * secondsOf(flag, text) : Date.parse(text);
  if (Number.isNaN(at))
    throw new CommandError(`${flag}: expected 15m, 2h or 1d, or a time as 2026-01-31T02:00, got "${text}"`, 2);
  return at;
}
