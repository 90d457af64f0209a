// How long a question may take: one that hangs is told by its name and by what it was at, and the others are asked.

/**
 * What `work` comes to; rejects after `seconds`, where `work` is left alone.
 * @param at what it is at
 */
export async function withinLimit<T>(seconds: number, work: Promise<T>, at: () => string): Promise<T> {
  if (seconds === Number.POSITIVE_INFINITY) return work;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${seconds} s, was at: ${at()}`)), seconds * 1000);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
