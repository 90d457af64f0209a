// Results of `aorta bench parse` for people: text for a terminal, Markdown, and a chart.

import { PARSE_ERROR_TEXT } from '../../sip/parser/parse-error-text.ts';
import type { ParseBench, Timing } from './parse-bench.ts';

export interface Comparison {
  readonly parser: string;
  readonly version: string;
  readonly ns: Timing;
  /** Its time as a multiple of Aorta's whole. */
  readonly times: number;
  /** Messages that it refused. */
  readonly refused: number;
}

export interface Row extends ParseBench {
  readonly set: string;
  /** Rate of the whole, in its best slice. */
  readonly messagesPerSecond: number;
  readonly origins: readonly string[];
  readonly notes: readonly string[];
  readonly compared: readonly Comparison[];
}

export interface Machine {
  readonly node: string;
  readonly cpu: string;
  readonly cores: number;
}

const FAULTS_SHOWN = 20;
const WHOLE = 'copy in, parse, read 30 fields';

const whole = (n: number): string => Math.round(n).toLocaleString('en-US');
const percent = (share: number): string => `${Math.round(share * 100)}%`;

/** Malformed messages by name, the first of them. */
function faultLines({ faults, origins }: Row): string[] {
  const shown = faults
    .slice(0, FAULTS_SHOWN)
    .map(({ message, code, offset }) => `${origins[message]}: ${PARSE_ERROR_TEXT[code]} at byte ${offset}`);
  const hidden = faults.length - shown.length;
  return hidden > 0 ? [...shown, `and ${whole(hidden)} more`] : shown;
}

export function textReport(rows: readonly Row[]): string {
  const line = (label: string, timing: Timing, more = '') =>
    `  ${label.padEnd(34)}${timing.best.toFixed(0).padStart(9)}${timing.median.toFixed(0).padStart(9)}${more}`;
  const lines = rows.flatMap((row) => [
    `${row.set}: ${whole(row.messages)} messages, ${row.meanBytes} bytes on average`,
    `  ${'ns per message'.padEnd(34)}${'best'.padStart(9)}${'median'.padStart(9)}`,
    line(WHOLE, row.whole, `   ${whole(row.messagesPerSecond)} messages/s, ${row.megabytesPerSecond.toFixed(0)} MB/s`),
    line('parse', row.parse),
    line('start line and header rows alone', row.index),
    ...row.compared.map((other) =>
      line(
        `${other.parser} ${other.version}`,
        other.ns,
        `   ${other.times.toFixed(0)} times${other.refused > 0 ? `, ${other.refused} messages refused` : ''}`,
      ),
    ),
    `  shares: copy in ${percent(row.shares.copyIn)}, header rows ${percent(row.shares.index)}, values ${percent(row.shares.values)}, read back ${percent(row.shares.readBack)}`,
    ...row.notes.map((note) => `  ${note}`),
    ...(row.faults.length > 0 ? [`  ${whole(row.faults.length)} malformed:`] : []),
    ...faultLines(row).map((fault) => `    ${fault}`),
  ]);
  return `${lines.join('\n')}\n`;
}

export function markdownReport(rows: readonly Row[], { node, cpu, cores }: Machine): string {
  const cell = (text: string) => text.replaceAll('|', '\\|');
  const timing = (set: string, what: string, ns: Timing, more: string) =>
    `| ${cell(set)} | ${cell(what)} | ${whole(ns.best)} | ${whole(ns.median)} | ${whole(1e9 / ns.best)} | ${more} |`;
  const lines = [
    `Node.js ${node}, ${cores} × ${cpu}. One thread; best and median of slices of about 1,024 messages.`,
    '',
    '| Messages | Parser | ns, best | ns, median | messages/s | |',
    '|---|---|---:|---:|---:|---|',
    ...rows.flatMap((row) => [
      timing(row.set, `Aorta: ${WHOLE}`, row.whole, `${row.megabytesPerSecond.toFixed(0)} MB/s`),
      timing(row.set, 'Aorta: parse alone', row.parse, ''),
      ...row.compared.map(({ parser, version, ns, times, refused }) =>
        timing(row.set, `${parser} ${version}`, ns, `${times.toFixed(0)} times; ${refused} refused`),
      ),
    ]),
    ...rows.flatMap((row) => {
      const faults = faultLines(row);
      return faults.length === 0 ? [] : ['', `Malformed in ${row.set}:`, '', ...faults.map((fault) => `- ${fault}`)];
    }),
  ];
  return `${lines.join('\n')}\n`;
}

const CHART = { width: 860, left: 260, right: 170, bar: 18, gap: 8, top: 56, head: 30 };

/** Bars of nanoseconds per message, a group for each set of messages. It needs no other file, on light and dark pages. */
export function chart(rows: readonly Row[], { node, cpu }: Machine): string {
  const groups = rows.map((row) => ({
    title: `${row.set}: ${whole(row.messages)} messages, ${row.meanBytes} bytes on average`,
    bars: [
      { label: 'Aorta, parsed and read', ns: row.whole.best, own: true },
      ...row.compared
        .filter(({ ns }) => ns.best > 0)
        .map(({ parser, version, ns }) => ({ label: `${parser} ${version}`, ns: ns.best, own: false })),
    ],
  }));
  const most = Math.max(...groups.flatMap(({ bars }) => bars.map(({ ns }) => ns)));
  const scale = (CHART.width - CHART.left - CHART.right) / most;
  const parts: string[] = [];
  let y = CHART.top;
  for (const { title, bars } of groups) {
    parts.push(`<text x="16" y="${y + 18}" class="title">${escaped(title)}</text>`);
    y += CHART.head;
    for (const { label, ns, own } of bars) {
      const width = Math.max(1, ns * scale);
      const middle = y + CHART.bar / 2 + 4;
      parts.push(
        `<text x="${CHART.left - 10}" y="${middle}" text-anchor="end">${escaped(label)}</text>`,
        `<rect x="${CHART.left}" y="${y}" width="${width.toFixed(1)}" height="${CHART.bar}" rx="2" class="${own ? 'own' : 'other'}"/>`,
        `<text x="${(CHART.left + width + 8).toFixed(1)}" y="${middle}">${whole(ns)} ns, ${whole(1e9 / ns)}/s</text>`,
      );
      y += CHART.bar + CHART.gap;
    }
    y += CHART.gap;
  }
  const head = 'Nanoseconds per message, best slice: less is better';
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${CHART.width} ${y}" role="img" aria-label="${head}">
<style>
text { font: 13px system-ui, sans-serif; fill: #1f2937 } .title { font-weight: 600 } .small { font-size: 11px; fill: #6b7280 }
.own { fill: #b91c1c } .other { fill: #9ca3af }
@media (prefers-color-scheme: dark) { text { fill: #e5e7eb } .small { fill: #9ca3af } .own { fill: #f87171 } .other { fill: #6b7280 } }
</style>
<text x="16" y="22" class="title">${head}</text>
<text x="16" y="40" class="small">${escaped(`Node.js ${node}, ${cpu}, one thread`)}</text>
${parts.join('\n')}
</svg>
`;
}

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

/** Text for XML, without characters that XML cannot hold. */
function escaped(text: string): string {
  return text.replace(/[&<>"]/g, (mark) => ENTITIES[mark]).replace(/\p{Cc}/gu, '?');
}
