// Claims of signed access tokens (RFC 7519), by the keys that their issuer publishes. Keys are fetched rarely, regardless of the keys
// that tokens name.

import { createRemoteJWKSet, errors, jwtVerify } from 'jose';
import type { TokenConfig } from '../../config/sections/token-config.ts';
import type { Claims } from './claims.ts';

/** Code of jose's errors of its requests to the issuer. */
const REQUEST_FAILED = 'ERR_JOSE_GENERIC';

/** @param jwks URL of the keys @param now epoch ms */
export function signedClaims(config: TokenConfig, jwks: string, now: () => number) {
  const { issuer, audience, algorithms, clockSkewS, keysMaxAgeS, keysCooldownS, limits } = config;
  const keys = createRemoteJWKSet(new URL(jwks), {
    timeoutDuration: limits.timeoutMs,
    cacheMaxAge: keysMaxAgeS * 1000,
    cooldownDuration: keysCooldownS * 1000,
  });
  /** Null where the token is not valid. Rejects where its issuer does not answer. */
  return async (token: string): Promise<Claims | null> => {
    try {
      const { payload } = await jwtVerify(token, keys, {
        issuer,
        audience,
        algorithms: [...algorithms],
        clockTolerance: clockSkewS,
        currentDate: new Date(now()),
        requiredClaims: ['exp'],
      });
      return payload;
    } catch (error) {
      if (isOfIssuer(error)) throw error;
      return null;
    }
  };
}

/** "fetch failed" has a cause. A published key that cannot check any token (RSA of 1,024 bits) affects only its own tokens. */
function isOfIssuer(error: unknown): boolean {
  if (!(error instanceof errors.JOSEError)) return error instanceof TypeError && error.cause !== undefined;
  return error instanceof errors.JWKSTimeout || error instanceof errors.JWKSInvalid || error.code === REQUEST_FAILED;
}
