// Repeated work by a timer. Its errors are reported, not thrown: an error that leaves a timer ends the process.

/**
 * Does `work` every `ms`, without keeping the process alive for it.
 * @param failed gets the first of several errors in a row
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
