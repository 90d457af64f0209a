// The line at the foot of a terminal: registrations per second, bindings, shards. Redrawn each second, removed at the
// end.

import { COUNTER } from '../../shard/observe/counters.ts';

const CLEAR = '\r\u001b[2K';

export interface StatusLine {
  /** Removes the line while other text is printed. */
  around(print: () => void): void;
  stop(): void;
}

export interface StatusSource {
  counters(): readonly Float64Array[];
  readonly restarts: number;
}

/** @param out a terminal */
export function startStatusLine(out: NodeJS.WriteStream, source: StatusSource): StatusLine {
  const describe = describer(source);
  let line = '';
  const draw = () => {
    line = describe();
    out.write(CLEAR + line.slice(0, Math.max(0, (out.columns || 80) - 1)));
  };
  const timer = setInterval(draw, 1000);
  timer.unref();
  return {
    around: (print) => {
      out.write(CLEAR);
      print();
      out.write(line.slice(0, Math.max(0, (out.columns || 80) - 1)));
    },
    stop: () => {
      clearInterval(timer);
      line = '';
      out.write(CLEAR);
    },
  };
}

/** Describes a server in a line; rates are since the last call. */
export function describer(source: StatusSource): () => string {
  let last = total(source.counters(), COUNTER.ok);
  let lastTime = performance.now();
  return () => {
    const counters = source.counters();
    const ok = total(counters, COUNTER.ok);
    const now = performance.now();
    const perSecond = ((ok - last) * 1000) / Math.max(1, now - lastTime);
    last = ok;
    lastTime = now;
    const bindings = total(counters, COUNTER.bindings);
    const parts = [
      `${count(Math.max(0, perSecond))} registrations/s`,
      `${count(bindings)} ${bindings === 1 ? 'binding' : 'bindings'}`,
      `${counters.length} ${counters.length === 1 ? 'shard' : 'shards'}`,
    ];
    if (source.restarts > 0) parts.push(`${source.restarts} restarted`);
    return parts.join('  ');
  };
}

function count(n: number): string {
  return Math.round(n).toLocaleString('en-US');
}

/** A counter over all shards. */
export function total(counters: readonly Float64Array[], index: number): number {
  return counters.reduce((sum, shard) => sum + shard[index], 0);
}
