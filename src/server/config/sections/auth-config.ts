// The part `auth` of the configuration: who must authenticate, and how, and the sources of users beside the user
// store.

import { type AuthPolicy, DEFAULT_AUTH_POLICY } from '../../../core/auth/auth-policy.ts';
import { parseIpPrefix } from '../../../sip/ip-prefix.ts';
import type { HttpSourceOptions, ProviderLimits, SqlSourceOptions } from '../../users/provider-options.ts';
import type { Fault } from '../config-problem.ts';
import { type TokenConfig, tokenFaults } from './token-config.ts';

export interface AuthConfig {
  /** `none`: every client may register anything. */
  readonly mode: 'none' | 'digest';
  readonly policy: AuthPolicy;
  /** Addresses and prefixes of proxies that are trusted to have authenticated their users. */
  readonly trustedProxies: readonly string[];
  /** Another number invalidates all nonces: clients get a new challenge, which their users do not notice. */
  readonly nonceGeneration: number;
  /** The provider of users that the user store does not have. */
  readonly provider?: ProviderConfig;
  /** Access tokens accepted beside passwords. */
  readonly tokens?: TokenConfig;
}

/** Exactly one of them is set. */
export interface ProviderConfig {
  readonly http?: HttpSourceOptions & { readonly limits: ProviderLimits };
  readonly sql?: SqlSourceOptions & { readonly limits: ProviderLimits };
}

export const DEFAULT_AUTH: AuthConfig = {
  mode: 'none',
  policy: DEFAULT_AUTH_POLICY,
  trustedProxies: [],
  nonceGeneration: 0,
};

/** Impossible combinations of the fields; paths below `auth`. */
export function authFaults({ mode, policy, trustedProxies, provider, tokens }: AuthConfig): Fault[] {
  const faults: Fault[] = tokenFaults(tokens, mode);
  if (new Set(policy.algorithms).size < policy.algorithms.length)
    faults.push({ path: ['algorithms'], text: 'one is there twice' });
  if (policy.nonceKeyMs < policy.nonceLifetimeMs)
    faults.push({
      path: ['nonce-key-s'],
      text: (spell) => `is shorter than ${spell('auth.nonce-lifetime-s')}: nonces would outlive their key`,
    });
  const bad = trustedProxies.find((prefix) => parseIpPrefix(prefix) === null);
  if (bad !== undefined) faults.push({ path: ['trusted-proxies'], text: `"${bad}" is no address and no prefix` });
  if (provider !== undefined && mode === 'none')
    faults.push({ path: ['provider'], text: 'nobody is asked for a password with mode none: it needs mode digest' });
  if (provider?.http !== undefined && provider.sql !== undefined)
    faults.push({ path: ['provider'], text: 'has both http and sql: users come from one of them' });
  return faults;
}
