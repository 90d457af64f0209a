// Every limit, default and choice of authentication, in one place (RFC 3261 §22, RFC 7616, RFC 8760).
// Plain data: the configuration file and the flags become one of these.

/** Names of algorithms in challenges (RFC 8760 §2.7). */
export type AlgorithmName = 'MD5' | 'SHA-256' | 'SHA-512-256' | 'MD5-sess' | 'SHA-256-sess' | 'SHA-512-256-sess';

export interface AuthPolicy {
  /** Algorithms offered and accepted, in the order of the challenges: the preferred one first (RFC 8760 §2.3). */
  readonly algorithms: readonly AlgorithmName[];
  /** Qop values of the challenges (RFC 8760 §2.6 (8)); others are refused. */
  readonly qop: 'auth' | 'auth,auth-int';
  /** Whether credentials without qop are accepted (RFC 3261 §22.4 (8), the formula of RFC 2069): then each nonce serves one request. */
  readonly legacyWithoutQop: boolean;
  /** Lifetime of a nonce from its issue, in ms. */
  readonly nonceLifetimeMs: number;
  /** Lifetime of a nonce key, in ms; at least the nonces' lifetime. */
  readonly nonceKeyMs: number;
  /** Width of the window below a nonce's highest nc in which a late nc is accepted: 1 (in order only) to 64. */
  readonly ncWindow: number;
  /** Used nonces a shard remembers; beyond it the oldest are forgotten, and nonces as old count as stale. */
  readonly usedNoncesMax: number;
  /** Whether challenges offer userhash=true (RFC 7616 §3.4.4). */
  readonly userhash: boolean;
  /** The answer to wrong credentials: a new challenge, or 403 (RFC 3261 §22.1 leaves the choice). */
  readonly wrongCredentials: 401 | 403;
  /**
   * Authentication-Info of a 200 (RFC 7616 §3.5): none; a nonce for the next request where the current one will be too old then; or that,
   * and always the proof that the server knows the password.
   */
  readonly authenticationInfo: 'off' | 'nextnonce' | 'mutual';
  /** Whether each failed login gets a line in the log; refused sources get theirs anyway. */
  readonly logFailures: boolean;
  /** Maximum bytes of a user name, a cnonce, a digest uri; longer ones draw 400. */
  readonly parameterBytesMax: number;
  /** Seconds in the Retry-After of a 503 while users cannot be looked up. */
  readonly retryAfterS: number;
}

/** Reasons: docs/decisions/0020 (nonces) and 0021 (algorithms, qop). */
export const DEFAULT_AUTH_POLICY: AuthPolicy = {
  algorithms: ['MD5'],
  qop: 'auth',
  legacyWithoutQop: true,
  nonceLifetimeMs: 3_600_000,
  nonceKeyMs: 4 * 3_600_000,
  ncWindow: 64,
  usedNoncesMax: 1 << 20,
  userhash: false,
  wrongCredentials: 401,
  authenticationInfo: 'off',
  logFailures: false,
  parameterBytesMax: 512,
  retryAfterS: 5,
};
