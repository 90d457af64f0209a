// Users by their access tokens (RFC 8898): asked about like users, each token once in a while.

import type { TokenConfig } from '../../config/sections/token-config.ts';
import type { UserSource } from '../user-provider.ts';
import { type Claims, readClaims } from './claims.ts';
import { introspectedClaims } from './introspection.ts';
import { signedClaims } from './jwt.ts';

/** @param served domains of the server @param now epoch ms */
export function tokenSource(config: TokenConfig, served: readonly string[], now: () => number): UserSource {
  const domains = config.domains.length > 0 ? config.domains : served;
  // A name alone is ambiguous where it could be of several domains.
  const domain = domains.length === 1 && domains[0] !== '*' ? domains[0] : undefined;
  const claimsOf = reader(config, now);
  return {
    name: 'the issuer of tokens',
    knowsOf: ({ realm, token }) => token !== undefined && (domains.includes(realm) || domains.includes('*')),
    async find({ token = '' }, signal) {
      const claims = await claimsOf(token, signal);
      return claims === null ? null : readClaims(claims, config, domain);
    },
  };
}

/** Signatures are checked first: the issuer is not asked about unsigned tokens. */
function reader(
  config: TokenConfig,
  now: () => number,
): (token: string, signal: AbortSignal) => Promise<Claims | null> {
  const { jwks, introspection } = config;
  const signed = jwks === undefined ? undefined : signedClaims(config, jwks, now);
  const introspected = introspection === undefined ? undefined : introspectedClaims(config, introspection, now);
  return async (token, signal) => {
    const claims = signed === undefined ? {} : await signed(token);
    if (claims === null || introspected === undefined) return claims;
    const told = await introspected(token, signal);
    return told && { ...told, ...claims };
  };
}
