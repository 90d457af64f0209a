// Work that is done again and again by a timer. What it throws is told and not thrown: an error that leaves a timer ends the process.

/**
 * Does `work` every `ms`, without keeping the process alive for it.
 * @param failed hears of the first of several errors in a row
 */
export function every(ms: number, work: () => void, failed: (error: Error) => void): NodeJS.Timeout {
  let told = false;
  return setInterval(() => {
    try {
      work();
      told = false;
    } catch (error) {
      if (!told) failed(error instanceof Error ? error : new Error(String(error)));
      told = true;
    }
  }, ms).unref();
}
