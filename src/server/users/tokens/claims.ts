// The grants of an access token: claims -> the AORs that its bearer may register, and for how long.

import { randomBytes } from 'node:crypto';
import { parseAor } from '../../../users/user-name.ts';
import { HA1_KINDS, TOKEN_KIND, USER_AORS_MAX } from '../../../users/user-record.ts';
import type { FoundUser } from '../found-user.ts';

export type Claims = Readonly<Record<string, unknown>>;

export interface ClaimRules {
  readonly userClaim: string;
  readonly aorsClaim: string;
  /** Scopes that must all be granted; separated by blanks. */
  readonly scope: string;
  readonly clockSkewS: number;
}

/**
 * Null where the claims are invalid, or do not grant enough.
 * @param domain of a user without one; undefined: such a user has no AOR
 */
export function readClaims(claims: Claims, rules: ClaimRules, domain: string | undefined): FoundUser | null {
  const { exp } = claims;
  if (typeof exp !== 'number' || !Number.isFinite(exp) || !grants(claims, rules.scope)) return null;
  const aors = [...addresses(claims[rules.userClaim], domain), ...addresses(claims[rules.aorsClaim], domain)];
  const known = aors.map(canonical);
  if (known.includes(undefined) || known.length > USER_AORS_MAX) return null;
  const until = (exp + rules.clockSkewS) * 1000;
  return { ha1s: tokenBytes(until), aors: [...new Set(known as string[])], rules: '', until };
}

/** RFC 8693 §4.2 has a text, other issuers a list, some under a name from OAuth's early days. */
function grants({ scope, scp }: Claims, wanted: string): boolean {
  const given = scope ?? scp;
  const scopes: unknown[] = typeof given === 'string' ? given.split(' ') : Array.isArray(given) ? given : [];
  return wanted.split(' ').every((one) => one === '' || scopes.includes(one));
}

/** AORs of a name, an address, or a list of them. */
function addresses(claim: unknown, domain: string | undefined): string[] {
  const list: unknown[] = Array.isArray(claim) ? claim : [claim];
  return list
    .filter((one) => typeof one === 'string' && one !== '')
    .map(String)
    .map((name) => (name.includes('@') || domain === undefined ? name : `${name}@${domain}`))
    .filter((name) => name.includes('@'));
}

function canonical(address: string): string | undefined {
  try {
    return parseAor(address);
  } catch {
    return undefined;
  }
}

/** In place of a user's HA1s: the token's expiry (core/auth/bearer.ts), and bytes that no digest can match. */
function tokenBytes(until: number): FoundUser['ha1s'] {
  const bytes = randomBytes(32);
  bytes.writeDoubleLE(until);
  return Array.from({ length: HA1_KINDS }, (_, kind) => (kind === TOKEN_KIND ? bytes : undefined));
}
