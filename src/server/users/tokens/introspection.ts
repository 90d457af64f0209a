// Claims of access tokens of any kind, by questions to their issuer (RFC 7662).

import { readFile } from 'node:fs/promises';
import type { TokenConfig } from '../../config/sections/token-config.ts';
import { jsonOf } from '../json-answer.ts';
import type { Claims } from './claims.ts';

/** @param url of the endpoint @param now epoch ms */
export function introspectedClaims(config: TokenConfig, url: string, now: () => number) {
  const { clientId = '', clientSecretFile = '', limits } = config;
  /** Null where the token is not valid. Rejects where its issuer does not answer. */
  return async (token: string, signal: AbortSignal): Promise<Claims | null> => {
    // Read each time, which is seldom: a changed secret counts at once.
    const secret = (await readFile(clientSecretFile, 'utf8')).replace(/\r?\n$/, '');
    const login = Buffer.from(`${encodeURIComponent(clientId)}:${encodeURIComponent(secret)}`).toString('base64');
    const response = await fetch(url, {
      method: 'POST',
      headers: { accept: 'application/json', authorization: `Basic ${login}` },
      body: new URLSearchParams({ token, token_type_hint: 'access_token' }),
      redirect: 'error',
      signal,
    });
    if (response.status !== 200) {
      await response.body?.cancel();
      throw new Error(`status ${response.status}`);
    }
    const claims = await jsonOf(response);
    if (typeof claims !== 'object' || claims === null) throw new Error('the answer is no object');
    return isGood(claims as Claims, config, now() / 1000)
      ? withEnd(claims as Claims, now() / 1000 + limits.ttlS)
      : null;
  };
}

/** The issuer decides; but its yes to a token for another audience, or for another time, does not count. */
function isGood({ active, iss, aud, nbf, exp }: Claims, { issuer, audience, clockSkewS }: TokenConfig, nowS: number) {
  if (active !== true || (iss !== undefined && iss !== issuer)) return false;
  if (aud !== undefined && !(Array.isArray(aud) ? aud : [aud]).includes(audience)) return false;
  if (typeof nbf === 'number' && nbf > nowS + clockSkewS) return false;
  return typeof exp !== 'number' || exp > nowS - clockSkewS;
}

/** A token without an expiry is valid until the next question about it. */
function withEnd(claims: Claims, otherwise: number): Claims {
  return claims.exp === undefined ? { ...claims, exp: otherwise } : claims;
}
