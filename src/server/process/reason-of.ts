// The reason of a failure, for people.

/** fetch throws "fetch failed" and hides the reason in its cause; of several failed addresses only the code is left. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { cause, message } = error as Error & { cause?: NodeJS.ErrnoException };
  return (cause instanceof Error && (cause.message || cause.code)) || message;
}
