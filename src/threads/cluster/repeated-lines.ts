// Log lines that repeat while something fails: each is logged once, then once a minute with the number of its
// repetitions.

const QUIET_MS = 60_000;
/** Different lines that are remembered, at most. */
const LINES_MAX = 64;

type Level = 'info' | 'warn';
type Log = (level: Level, event: string, fields: Record<string, unknown>) => void;

export class RepeatedLines {
  private readonly log: Log;
  private readonly lines = new Map<string, { toldAt: number; times: number }>();

  constructor(log: Log) {
    this.log = log;
  }

  /** @param now monotonic ms */
  tell(level: Level, event: string, fields: Record<string, unknown>, now: number): void {
    const key = JSON.stringify([event, fields]);
    const line = this.lines.get(key);
    if (line !== undefined && now - line.toldAt < QUIET_MS) {
      line.times++;
      return;
    }
    if (this.lines.size >= LINES_MAX) this.lines.clear();
    this.lines.set(key, { toldAt: now, times: 0 });
    const times = line?.times ?? 0;
    this.log(level, event, times === 0 ? fields : { ...fields, times: times + 1 });
  }
}
