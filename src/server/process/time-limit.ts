// Work with a limit of time. AbortSignal.any would not do: it holds the signal of a timeout weakly, and Node.js 20 collects it before it
// fires.

/**
 * Does work with a signal that aborts after `ms`, or with `until`. Resolves and rejects as the work does, which has to heed the signal.
 */
export async function withinTime<T>(
  ms: number,
  until: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const stop = new AbortController();
  const late = setTimeout(() => stop.abort(new Error(`no answer within ${ms} ms`)), ms);
  const ended = () => stop.abort(until.reason);
  until.addEventListener('abort', ended);
  if (until.aborted) ended();
  try {
    return await work(stop.signal);
  } finally {
    clearTimeout(late);
    until.removeEventListener('abort', ended);
  }
}
