// Rows of the section `auth`: who must authenticate, and how, and the sources of users beside the user store.

import type { AlgorithmName } from '../../../core/auth/auth-policy.ts';
import { choice, expected, hint, integer, type Kind, listOf, parsed, seconds, secondsAsMs, yesOrNo } from './kinds.ts';
import { httpRows, sqlRows } from './provider-rows.ts';
import { AT_ONCE, orText, RESTART, row, section } from './row.ts';
import { prefixes } from './texts.ts';
import { tokenRows } from './token-rows.ts';

const ALGORITHMS: readonly AlgorithmName[] = [
  'MD5',
  'SHA-256',
  'SHA-512-256',
  'MD5-sess',
  'SHA-256-sess',
  'SHA-512-256-sess',
];

const algorithm = parsed(ALGORITHMS.join(', '), (name): AlgorithmName => {
  const found = ALGORITHMS.find((known) => known.toLowerCase() === name.toLowerCase());
  if (found === undefined)
    throw new RangeError(expected(`one of ${ALGORITHMS.join(', ')}`, name) + hint(name, ALGORITHMS));
  return found;
});

const statusOfWrong: Kind<401 | 403, number | string> = {
  read(value, tell) {
    if (value === 401 || value === '401') return 401;
    if (value === 403 || value === '403') return 403;
    tell(expected('401 or 403', value));
    return undefined;
  },
  show: (status) => status,
  text: '401, 403',
  json: { enum: [401, 403] },
};

const nonceRows = {
  'nonce-lifetime-s': row(
    'auth.policy.nonceLifetimeMs',
    secondsAsMs(10, 86_400),
    RESTART,
    'A nonce may be used for this time.',
  ),
  'nonce-key-s': row(
    'auth.policy.nonceKeyMs',
    secondsAsMs(10, 7 * 86_400),
    RESTART,
    'One key makes the nonces for this time; at least the lifetime of a nonce.',
  ),
  'nc-window': row(
    'auth.policy.ncWindow',
    integer(1, 64),
    RESTART,
    'A nonce count may arrive this far below the highest one of its nonce; 1: in order only.',
  ),
  'used-nonces': row(
    'auth.policy.usedNoncesMax',
    integer(1024, 1 << 24),
    RESTART,
    'A shard remembers this many used nonces; older ones count as stale.',
  ),
  'nonce-generation': row(
    'auth.nonceGeneration',
    integer(0, 1 << 30),
    AT_ONCE,
    'Another number ends every nonce: clients are challenged anew, and no user is asked.',
  ),
};

export const authRows = orText(
  'mode',
  section('Clients prove in this way who they are.', {
    mode: row(
      'auth.mode',
      choice('none', 'digest'),
      RESTART,
      'Users log in (`digest`), or every client may register, on loopback addresses alone (`none`).',
      {
        flag: { option: '--auth <mode>' },
        otherwise: '`none` on loopback addresses alone and without `provider`, else `digest`',
        example: 'digest',
      },
    ),
    algorithms: row(
      'auth.policy.algorithms',
      listOf(algorithm),
      AT_ONCE,
      'Challenges offer these digest algorithms, the preferred one first.',
    ),
    qop: row('auth.policy.qop', choice('auth', 'auth,auth-int'), AT_ONCE, 'Challenges offer this protection.'),
    'legacy-without-qop': row(
      'auth.policy.legacyWithoutQop',
      yesOrNo,
      AT_ONCE,
      'Credentials without qop count, each nonce once.',
    ),
    ...nonceRows,
    userhash: row('auth.policy.userhash', yesOrNo, AT_ONCE, 'Challenges offer hashed user names (RFC 7616 §3.4.4).'),
    'log-failures': row('auth.policy.logFailures', yesOrNo, AT_ONCE, 'Each failed login gets a line in the log.'),
    'wrong-credentials': row(
      'auth.policy.wrongCredentials',
      statusOfWrong,
      AT_ONCE,
      'Wrong credentials are answered by a new challenge (401) or refused (403).',
    ),
    'authentication-info': row(
      'auth.policy.authenticationInfo',
      choice('off', 'nextnonce', 'mutual'),
      AT_ONCE,
      'A 200 brings the next nonce before the one in use gets too old, or also proves that Aorta knows the password (RFC 7616 §3.5).',
    ),
    'retry-after-s': row(
      'auth.policy.retryAfterS',
      seconds(1, 3600),
      AT_ONCE,
      'Retry-After has this value in the 503 while users cannot be looked up.',
    ),
    'trusted-proxies': row(
      'auth.trustedProxies',
      prefixes,
      AT_ONCE,
      'Proxies at these addresses vouch for the identity of their users.',
      { example: ['192.0.2.0/24'] },
    ),
    provider: section('Users come from here besides the user store.', { http: httpRows, sql: sqlRows }),
    tokens: tokenRows,
  }),
);
