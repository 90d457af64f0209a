// Values as a row of bars, one column each.

const BARS = '▁▂▃▄▅▆▇█';

/** The newest `columns` values, the newest at the right, from none to the largest. An unknown value is a space. */
export function sparkline(values: readonly (number | null)[], columns: number): string {
  const shown = values.slice(-columns);
  const most = shown.reduce<number>((max, value) => Math.max(max, value ?? 0), 0);
  const bars = shown.map((value) => {
    if (value === null) return ' ';
    return most === 0 ? BARS[0] : BARS[Math.min(BARS.length - 1, Math.floor((value / most) * BARS.length))];
  });
  return bars.join('').padStart(columns);
}
