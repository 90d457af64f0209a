// Rows of the section `auth`: who must authenticate, how, and where users come from besides the user store.

import type { AlgorithmName } from '../../../core/auth/auth-policy.ts';
import { DEFAULT_PROVIDER_LIMITS, type ProviderLimits } from '../../users/provider-options.ts';
import { parseSqlAddress, shownSqlUrl, withoutCredentials } from '../../users/sql/sql-address.ts';
import { parseSqlQuery, SUBSCRIBER_QUERY } from '../../users/sql/sql-query.ts';
import {
  byName,
  choice,
  expected,
  file,
  HIDDEN,
  hidden,
  hint,
  integer,
  type Kind,
  listOf,
  milliseconds,
  parsed,
  seconds,
  secondsAsMs,
  text,
  yesOrNo,
} from './kinds.ts';
import { AT_ONCE, orText, RESTART, row, rowsOf, section, under } from './row.ts';
import { prefixes } from './texts.ts';

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

const plainText = text();
/** A URL may carry a name and a password. */
const template: Kind<string, string> = {
  ...plainText,
  read(value, tell) {
    const url = plainText.read(value, tell);
    if (url === undefined) return undefined;
    if (/^https?:\/\//i.test(url) && URL.canParse(url) && url.includes('{user}')) return url;
    tell(expected('an http or https URL with {user} in it (and {realm}, where it matters)', withoutCredentials(url)));
    return undefined;
  },
  show: (url) => url.replace(/^(https?:\/\/)[^/@]*@/i, `$1${HIDDEN}@`),
  text: 'URL with `{user}` and, where it matters, `{realm}`',
};

const limit = rowsOf<ProviderLimits>();
/** How any provider is asked, and how long its answers are used. */
export const providerLimitRows = {
  'timeout-ms': limit(
    'timeoutMs',
    milliseconds(10, 60_000),
    RESTART,
    'An answer that takes longer is a failure.',
  ),
  'ttl-s': limit('ttlS', seconds(1, 86_400), RESTART, 'An answer is used for this time.'),
  'negative-ttl-s': limit(
    'negativeTtlS',
    seconds(1, 86_400),
    RESTART,
    'The answer “no such user” is used for this time.',
  ),
  'stale-s': limit(
    'staleS',
    seconds(0, 30 * 86_400),
    RESTART,
    'An answer is used for this much longer while the source fails.',
  ),
  concurrency: limit(
    'concurrency',
    integer(1, 1024),
    RESTART,
    'At most this many questions are under way at once.',
  ),
  'queue-max': limit(
    'queueMax',
    integer(1, 1_000_000),
    RESTART,
    'At most this many questions wait for their turn; further users are answered 503.',
  ),
  failures: limit(
    'failures',
    integer(1, 1000),
    RESTART,
    'The source is left alone after this many failures in a row.',
  ),
  'open-ms': limit(
    'openMs',
    milliseconds(100, 600_000),
    RESTART,
    'It is then left alone for this time.',
  ),
};

const httpRows = section(
  'Users that the user store does not have are asked of a web service.',
  {
    url: row('auth.provider.http.url', template, RESTART, 'The service answers GET of this URL with a user’s HA1s.', {
      required: true,
      example: 'https://users.example.com/ha1?user={user}&realm={realm}',
    }),
    headers: row(
      'auth.provider.http.headers',
      byName('header', hidden(plainText)),
      RESTART,
      'Header fields are sent with every question.',
    ),
    ...under('auth.provider.http.limits', providerLimitRows),
  },
  { at: 'auth.provider.http', base: { limits: DEFAULT_PROVIDER_LIMITS, headers: {} } },
);

const sqlAddress: Kind<string, string> = {
  ...parsed('URL: `postgresql://…`, `mysql://…` or `mariadb://…`', (url) => {
    parseSqlAddress(url);
    return url;
  }),
  show: shownSqlUrl,
};

const sqlQuery = parsed('SQL with `{user}` and, where it matters, `{realm}`', (query) => {
  parseSqlQuery(query);
  return query;
});

const sqlRows = section(
  'Users that the user store does not have are asked of a SQL database.',
  {
    url: row(
      'auth.provider.sql.url',
      sqlAddress,
      RESTART,
      'The database is there; `?socket=/path` stands for a Unix socket.',
      { required: true, example: 'postgresql://aorta@db.example.com/kamailio' },
    ),
    'password-file': row(
      'auth.provider.sql.passwordFile',
      file,
      RESTART,
      'The password is in this file, which is read anew for each connection; instead of one in `url`.',
    ),
    query: row(
      'auth.provider.sql.query',
      sqlQuery,
      RESTART,
      'One row of its answer is the user, in columns such as `ha1` or `password`.',
    ),
    tls: row(
      'auth.provider.sql.tls',
      choice('verify', 'off'),
      RESTART,
      'Connections are TLS with the server’s certificate and name verified (`verify`), or plain (`off`).',
      { otherwise: '`verify` with `ca` or over a network, else `off`' },
    ),
    ca: row(
      'auth.provider.sql.ca',
      file,
      RESTART,
      'Certificates in this file are trusted instead of the system’s.',
    ),
    ...under('auth.provider.sql.limits', providerLimitRows),
  },
  { at: 'auth.provider.sql', base: { limits: DEFAULT_PROVIDER_LIMITS, query: SUBSCRIBER_QUERY } },
);

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
        otherwise: '`none` on loopback addresses alone, else `digest`',
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
  }),
);
