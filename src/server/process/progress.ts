// Progress of long work, its pace and its remaining time: a bar that redraws itself on a terminal, a line of the log every few seconds
// elsewhere.

import type { Log } from './log.ts';

/** @param what name of the work, a short fixed text @param total 0: unknown */
export type Progress = (what: string, done: number, total: number) => void;

const REDRAW_MS = 100;
const LOG_MS = 3000;
/** Shorter work gives no pace to predict the rest from. */
const RATE_MS = 2000;
const BAR_MAX = 30;
const BAR_MIN = 5;
const CLEAR = '\r\u001b[2K';

export interface ProgressDisplay {
  /** @param counted a further count, such as rows where `done` and `total` are bytes; the rate is of these */
  readonly report: (what: string, done: number, total: number, counted?: number) => void;
  /** Removes the bar while other text is printed. */
  around(print: () => void): void;
  /** Removes the bar. */
  end(): void;
}

/** @param out the terminal, or undefined where there is none */
export function showProgress(out: NodeJS.WriteStream | undefined, log: Log): ProgressDisplay {
  let last = performance.now();
  let shown = '';
  let work = { what: '', began: last };
  const draw = (text: string) => {
    if (text !== shown) out?.write(CLEAR + text);
    shown = text;
  };
  const every = out === undefined ? LOG_MS : REDRAW_MS;
  return {
    report: (what, done, total, counted) => {
      const now = performance.now();
      if (what !== work.what) work = { what, began: now };
      if (now - last < every) return;
      last = now;
      const step = { what, done, total, counted, tookMs: now - work.began };
      if (out === undefined) return log('info', what, logFields(step));
      draw(progressBar(step, (out.columns || 80) - 1));
    },
    around: (print) => {
      const text = shown;
      draw('');
      print();
      draw(text);
    },
    end: () => draw(''),
  };
}

interface Step {
  readonly what: string;
  readonly done: number;
  /** 0: unknown */
  readonly total: number;
  readonly counted: number | undefined;
  readonly tookMs: number;
}

const count = (n: number) => Math.round(n).toLocaleString('en-US');

function logFields(step: Step): Record<string, number> {
  const { done, total } = step;
  const left = secondsLeft(step);
  return { done, ...(total > 0 && { total }), ...(left !== undefined && { left_s: Math.ceil(left) }) };
}

/** Progress without a bar, for questions during the work. */
export function progressText(what: string, done: number, total: number): string {
  return `${what}: ${count(done)}${total > 0 ? ` of ${count(total)}` : ''}`;
}

/** A line of at most so many columns. */
export function progressBar(step: Step, columns: number): string {
  const { what, done, total, counted, tookMs } = step;
  const rate = tookMs < RATE_MS ? '' : `  ${count(((counted ?? done) / tookMs) * 1000)}/s`;
  if (total <= 0) return `${what}: ${count(counted ?? done)}${rate}`.slice(0, Math.max(0, columns));
  const share = Math.min(1, done / total);
  const percent = `${String(Math.floor(share * 100)).padStart(3)}%`;
  const numbers = counted === undefined ? `${count(done)} of ${count(total)}` : count(counted);
  const left = secondsLeft(step);
  const text = `${percent}  ${numbers}${rate}${left === undefined ? '' : `  ${timeText(left)} left`}`;
  const size = Math.max(BAR_MIN, Math.min(BAR_MAX, columns - what.length - text.length - 4));
  const filled = Math.round(share * size);
  return `${what} [${'#'.repeat(filled)}${'.'.repeat(size - filled)}] ${text}`.slice(0, Math.max(0, columns));
}

function secondsLeft({ done, total, tookMs }: Step): number | undefined {
  if (tookMs < RATE_MS || total <= 0 || done <= 0) return undefined;
  return (Math.max(0, total - done) * tookMs) / done / 1000;
}

function timeText(seconds: number): string {
  if (seconds < 60) return `${Math.ceil(seconds)} s`;
  return seconds < 3600 ? `${Math.ceil(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}
