// Permissions for SIP lookups: a registrar must not publish its users' addresses. redirect.ts writes the answer.

export interface LookupPolicy {
  /**
   * Senders whose requests for a user are redirected to the user's contacts. `trusted`: the addresses in `from` and
   * proxies that may assert identity. `authenticated`: those, and any authenticated user of the realm. `anyone`: all. `off`: none.
   */
  readonly sip: 'off' | 'trusted' | 'authenticated' | 'anyone';
  /** Addresses and prefixes. */
  readonly from: readonly string[];
}

/** This machine alone: the configuration names proxies on others. */
export const DEFAULT_LOOKUP_POLICY: LookupPolicy = { sip: 'trusted', from: ['127.0.0.0/8', '::1'] };
