// How far long work is: a bar that redraws itself on a terminal, a line of the log every few seconds elsewhere.

import type { Log } from './log.ts';

/** @param what is being done, a short fixed text @param total 0: unknown */
export type Progress = (what: string, done: number, total: number) => void;

const REDRAW_MS = 100;
const LOG_MS = 3000;
const BAR = 30;
const CLEAR = '\r\u001b[2K';

export interface ProgressDisplay {
  readonly report: Progress;
  /** Takes the bar away while something else is printed. */
  around(print: () => void): void;
  /** Takes the bar away. */
  end(): void;
}

/** @param out the terminal, or undefined where there is none */
export function showProgress(out: NodeJS.WriteStream | undefined, log: Log): ProgressDisplay {
  let last = performance.now();
  let shown = '';
  const draw = (text: string) => {
    if (text !== shown) out?.write(CLEAR + text);
    shown = text;
  };
  const every = out === undefined ? LOG_MS : REDRAW_MS;
  return {
    report: (what, done, total) => {
      const now = performance.now();
      if (now - last < every) return;
      last = now;
      if (out === undefined) return log('info', what, total > 0 ? { done, total } : { done });
      draw(bar(what, done, total).slice(0, Math.max(0, (out.columns || 80) - 1)));
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

function bar(what: string, done: number, total: number): string {
  const count = (n: number) => n.toLocaleString('en-US');
  if (total <= 0) return `${what}: ${count(done)}`;
  const share = Math.min(1, done / total);
  const filled = Math.round(share * BAR);
  const percent = String(Math.floor(share * 100)).padStart(3);
  return `${what} [${'#'.repeat(filled)}${'.'.repeat(BAR - filled)}] ${percent}%  ${count(done)} of ${count(total)}`;
}
