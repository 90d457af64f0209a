// The part `auth.tokens` of the configuration: access tokens accepted beside passwords (RFC 8898), and their issuer.

import type { TokenOffer } from '../../../core/auth/bearer.ts';
import type { TransportName } from '../../../sip/sources.ts';
import { DEFAULT_PROVIDER_LIMITS, type ProviderLimits } from '../../users/provider-options.ts';
import type { Fault } from '../config-problem.ts';

export const TOKEN_ALGORITHMS = [
  ...(['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'] as const),
  ...(['ES256', 'ES384', 'ES512', 'EdDSA'] as const),
] as const;
export type TokenAlgorithm = (typeof TOKEN_ALGORITHMS)[number];

export interface TokenConfig {
  /** Value of the claim `iss`. */
  readonly issuer: string;
  /** Value that the claim `aud` must contain. */
  readonly audience: string;
  /** URL at which clients get tokens; absent: the issuer. */
  readonly authzServer?: string;
  /** URL of the issuer's keys (RFC 7517): tokens must be signed by one of them. */
  readonly jwks?: string;
  /** URL of introspection (RFC 7662): it must report tokens as active, too. */
  readonly introspection?: string;
  readonly clientId?: string;
  readonly clientSecretFile?: string;
  readonly algorithms: readonly TokenAlgorithm[];
  /** Scopes that must all be granted; separated by blanks. */
  readonly scope: string;
  readonly userClaim: string;
  readonly aorsClaim: string;
  /** Domains that accept tokens; empty: all served ones. */
  readonly domains: readonly string[];
  readonly clockSkewS: number;
  readonly transports: readonly TransportName[];
  readonly tokenBytesMax: number;
  /** Keys are fetched again after this time at the latest. */
  readonly keysMaxAgeS: number;
  /** Shortest time between two fetches, where a token names an unknown key. */
  readonly keysCooldownS: number;
  readonly limits: ProviderLimits;
}

export const DEFAULT_TOKENS = {
  algorithms: ['RS256', 'PS256', 'ES256', 'EdDSA'],
  scope: '',
  userClaim: 'sub',
  aorsClaim: 'aors',
  domains: [],
  clockSkewS: 10,
  transports: ['tls', 'wss'],
  tokenBytesMax: 8192,
  keysMaxAgeS: 600,
  keysCooldownS: 30,
  limits: DEFAULT_PROVIDER_LIMITS,
} satisfies Partial<TokenConfig>;

export function tokenOffer({ issuer, authzServer, scope, transports, tokenBytesMax }: TokenConfig): TokenOffer {
  return { authzServer: authzServer ?? issuer, scope, transports, tokenBytesMax };
}

/** Faults of the section; paths below `auth`. */
export function tokenFaults(tokens: TokenConfig | undefined, mode: 'none' | 'digest'): Fault[] {
  if (tokens === undefined) return [];
  const { jwks, introspection, clientId, clientSecretFile } = tokens;
  const faults: Fault[] = [];
  if (mode === 'none')
    faults.push({ path: ['tokens'], text: 'nobody is asked for any with mode none: they need mode digest' });
  if (jwks === undefined && introspection === undefined)
    faults.push({
      path: ['tokens'],
      text: 'needs jwks or introspection: without, nobody tells whether a token is good',
    });
  if (introspection !== undefined && (clientId === undefined || clientSecretFile === undefined))
    faults.push({ path: ['tokens', 'introspection'], text: 'needs client-id and client-secret-file' });
  return faults;
}
