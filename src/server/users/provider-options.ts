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

export interface SqlSourceOptions {
  /** postgresql://user:password@host:port/database, or mysql:// likewise. */
  readonly url: string;
  /** Instead of a password in the URL. */
  readonly passwordFile?: string;
  /** Of one user: with {user} and {realm}. */
  readonly query: string;
  /** Whether connections are TLS, with the server's name and certificate verified; absent: unless they stay on this machine. */
  readonly tls?: 'verify' | 'off';
  /** File with certificates to trust instead of the system's. */
  readonly ca?: string;
}
