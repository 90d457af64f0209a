// How users are asked for that the user store does not have. Who asks is user-provider.ts.

/** How a source is asked, and how long its answers are used. */
export interface ProviderLimits {
  /** For one answer. */
  readonly timeoutMs: number;
  /** How long an answer is used before the source is asked again. */
  readonly ttlS: number;
  /** The same for "no such user". */
  readonly negativeTtlS: number;
  /** How much longer an answer is used while the source fails. */
  readonly staleS: number;
  /** Questions under way at once. */
  readonly concurrency: number;
  /** Questions that wait for their turn; beyond it the answer is 'unavailable'. */
  readonly queueMax: number;
  /** Failures in a row after which the source is left alone for `openMs`. */
  readonly failures: number;
  readonly openMs: number;
}

export const DEFAULT_PROVIDER_LIMITS: ProviderLimits = {
  timeoutMs: 2000,
  ttlS: 300,
  negativeTtlS: 30,
  staleS: 86_400,
  concurrency: 32,
  queueMax: 10_000,
  failures: 5,
  openMs: 5000,
};

export interface HttpSourceOptions {
  /** With {user} and {realm}, which are percent-encoded. */
  readonly url: string;
  /** Sent with every question, e.g. authorization. */
  readonly headers: Readonly<Record<string, string>>;
}
