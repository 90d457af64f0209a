// Who may ask where a user is: a registrar must not tell the world. What an answer holds is redirect.ts's.

export interface LookupPolicy {
  /**
   * Whose requests for a user are redirected to the user's contacts. `trusted`: those from the addresses in `from` and from
   * proxies that may assert identity. `authenticated`: those, and any user of the realm who logs in. `anyone`: all. `off`: none.
   */
  readonly sip: 'off' | 'trusted' | 'authenticated' | 'anyone';
  /** Addresses and prefixes. */
  readonly from: readonly string[];
}

/** This machine alone: proxies on others are named in the configuration. */
export const DEFAULT_LOOKUP_POLICY: LookupPolicy = { sip: 'trusted', from: ['127.0.0.0/8', '::1'] };
