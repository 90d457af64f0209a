// A bar chart of plain text, to be pasted anywhere: what a request costs as a share of Kamailio's in the same run.

export interface Bar {
  readonly label: string;
  /** Kamailio is 1. */
  readonly ratio: number;
  readonly limit?: number;
}

const YARDSTICK = 'Kamailio, in memory';
const WIDTH = 40;
const PARTS = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];

/** A line for each bar; `|` stands where Kamailio is. */
export function barChart(bars: readonly Bar[]): string {
  const all: readonly Bar[] = [{ label: YARDSTICK, ratio: 1 }, ...bars];
  const most = Math.max(...all.map(({ ratio }) => ratio));
  const labels = Math.max(...all.map(({ label }) => label.length));
  const unit = WIDTH / most;
  const line = ({ label, ratio, limit }: Bar) => {
    const bar = drawn(ratio * unit).padEnd(WIDTH + 1);
    const one = Math.round(unit);
    const marked = ratio < 1 && bar[one] === ' ' ? `${bar.slice(0, one)}|${bar.slice(one + 1)}` : bar;
    const wanted = limit === undefined ? '' : `  (limit ${limit.toFixed(2)}, ${ratio <= limit ? 'met' : 'missed'})`;
    return `${label.padEnd(labels)}  ${marked} ${ratio.toFixed(2)}${wanted}`;
  };
  return all.map(line).join('\n');
}

const LINE = new RegExp(
  `^(.+?) *[█${PARTS.join('')}| ]* (\\d+\\.\\d\\d)(?: {2}\\(limit (\\d+\\.\\d\\d), \\w+\\))?$`,
  'u',
);

const ROW = /^\| (.+): CPU \/ Kamailio \| (\d+\.\d+)[^|]*\| <= (\d+(?:\.\d+)?) \|/gmu;

/**
 * All bars that a document of results has: of its tables, in their order, then those that its chart alone has, which stay as they were
 * drawn, and those measured now.
 */
export function barsIn(document: string, chart: string, measured: readonly Bar[]): Bar[] {
  const all = new Map<string, Bar>();
  for (const [, label, ratio, limit] of document.matchAll(ROW))
    all.set(label, { label, ratio: Number(ratio), limit: Number(limit) });
  for (const bar of barsOf(chart)) if (!all.has(bar.label)) all.set(bar.label, bar);
  for (const bar of measured) all.set(bar.label, bar);
  return [...all.values()];
}

function barsOf(chart: string): Bar[] {
  const lines = chart.split('\n').map((line) => LINE.exec(line));
  return lines.flatMap((found) => {
    if (found === null || found[1] === YARDSTICK) return [];
    const [, label, ratio, limit] = found;
    return [{ label, ratio: Number(ratio), ...(limit !== undefined && { limit: Number(limit) }) }];
  });
}

function drawn(cells: number): string {
  const eighths = Math.round(cells * 8);
  return '█'.repeat(eighths >> 3) + PARTS[eighths & 7];
}
