// What an access token grants: claims -> the addresses that its bearer may register, and how long.

import { randomBytes } from 'node:crypto';
import { parseAor } from '../../../users/user-name.ts';
import { HA1_KINDS, TOKEN_KIND, USER_AORS_MAX } from '../../../users/user-record.ts';
import type { FoundUser } from '../found-user.ts';

export type Claims = Readonly<Record<string, unknown>>;

export interface ClaimRules {
  readonly userClaim: string;
  readonly aorsClaim: string;
  /** All of these must be granted; divided by blanks. */
  readonly scope: string;
  readonly clockSkewS: number;
}

/**
 * Null where the claims make no sense, or do not grant enough.
 * @param domain of a user without one; undefined: such a user has no address
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

/** RFC 8693 §4.2 has a text, other issuers a list, some under the name of OAuth's early days. */
function grants({ scope, scp }: Claims, wanted: string): boolean {
  const given = scope ?? scp;
  const scopes: unknown[] = typeof given === 'string' ? given.split(' ') : Array.isArray(given) ? given : [];
  return wanted.split(' ').every((one) => one === '' || scopes.includes(one));
}

/** Of a name, an address, or a list of them. */
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

/** Where HA1s stand for a user: when the token ends (core/auth/bearer.ts), and what nobody can make a digest of. */
function tokenBytes(until: number): FoundUser['ha1s'] {
  const bytes = randomBytes(32);
  bytes.writeDoubleLE(until);
  return Array.from({ length: HA1_KINDS }, (_, kind) => (kind === TOKEN_KIND ? bytes : undefined));
}
