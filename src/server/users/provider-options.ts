// Limits of questions about users that the user store does not have. user-provider.ts asks them.

/** Limits of questions to a source, and lifetimes of its answers. */
export interface ProviderLimits {
  /** Time for one answer. */
  readonly timeoutMs: number;
  /** Time that an answer is used before the source is asked again. */
  readonly ttlS: number;
  /** The same for "no such user". */
  readonly negativeTtlS: number;
  /** Further time that an answer is used while the source fails. */
  readonly staleS: number;
  /** Questions in progress at once. */
  readonly concurrency: number;
  /** Questions waiting for their turn; beyond it the answer is 'unavailable'. */
  readonly queueMax: number;
  /** Failures in a row after which the source is not asked for `openMs`. */
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
  /** URL with {user} and {realm}, which are percent-encoded. */
  readonly url: string;
  /** Headers of every question, e.g. authorization. */
  readonly headers: Readonly<Record<string, string>>;
}

export interface SqlSourceOptions {
  /** postgresql://user:password@host:port/database, or mysql:// likewise. */
  readonly url: string;
  /** File with the password, instead of one in the URL. */
  readonly passwordFile?: string;
  /** Query for one user: with {user} and {realm}. */
  readonly query: string;
  /** Whether connections are TLS, with the server's name and certificate verified; absent: unless they stay on this machine. */
  readonly tls?: 'verify' | 'off';
  /** File with certificates to trust instead of the system's. */
  readonly ca?: string;
}
