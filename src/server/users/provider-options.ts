// How a web service is asked for users. Who asks is http-provider.ts.

export interface HttpProviderOptions {
  /** With {user} and {realm}, which are percent-encoded. */
  readonly url: string;
  /** Sent with every question, e.g. authorization. */
  readonly headers: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  /** How long an answer is used before the service is asked again. */
  readonly ttlS: number;
  /** The same for "no such user". */
  readonly negativeTtlS: number;
  /** How much longer an answer is used while the service fails. */
  readonly staleS: number;
  /** Questions under way at once. */
  readonly concurrency: number;
  /** Questions that wait for their turn; beyond it the answer is 'unavailable'. */
  readonly queueMax: number;
  /** Failures in a row after which the service is left alone for `openMs`. */
  readonly failures: number;
  readonly openMs: number;
}

export const DEFAULT_HTTP_PROVIDER: Omit<HttpProviderOptions, 'url'> = {
  headers: {},
  timeoutMs: 2000,
  ttlS: 300,
  negativeTtlS: 30,
  staleS: 86_400,
  concurrency: 32,
  queueMax: 10_000,
  failures: 5,
  openMs: 5000,
};
