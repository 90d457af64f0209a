// Rows of the section `auth.provider`: sources of users beside the user store, and the requests to them.

import { DEFAULT_PROVIDER_LIMITS, type ProviderLimits } from '../../users/provider-options.ts';
import { parseSqlAddress, shownSqlUrl } from '../../users/sql/sql-address.ts';
import { parseSqlQuery, SUBSCRIBER_QUERY } from '../../users/sql/sql-query.ts';
import {
  byName,
  choice,
  expected,
  file,
  hidden,
  integer,
  type Kind,
  milliseconds,
  parsed,
  seconds,
  text,
} from './kinds.ts';
import { refuseCredentials, shownUrl } from './outgoing/web-url.ts';
import { RESTART, row, rowsOf, section, under } from './row.ts';

const plainText = text();
const template: Kind<string, string> = {
  ...plainText,
  read(value, tell) {
    const url = plainText.read(value, tell);
    if (url === undefined) return undefined;
    try {
      checkTemplate(url);
      return url;
    } catch (error) {
      tell((error as Error).message);
      return undefined;
    }
  },
  show: shownUrl,
  text: 'URL with `{user}` and, where it matters, `{realm}`',
};

/** The user name of a phone must not determine the host that is asked. Throws a RangeError. */
function checkTemplate(url: string): void {
  if (!/^https?:\/\//i.test(url) || !URL.canParse(url) || !url.includes('{user}'))
    throw new RangeError(
      expected('an http or https URL with {user} in it (and {realm}, where it matters)', shownUrl(url)),
    );
  refuseCredentials(url, '; put them into "headers"');
  if (/^https?:\/\/[^/?#]*\{/i.test(url)) throw new RangeError('has a placeholder in its host');
}

const limit = rowsOf<ProviderLimits>();

/** Limits of requests to any provider, and the lifetime of its answers. */
export const providerLimitRows = {
  'timeout-ms': limit('timeoutMs', milliseconds(10, 60_000), RESTART, 'An answer that takes longer is a failure.'),
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
  concurrency: limit('concurrency', integer(1, 1024), RESTART, 'At most this many questions are under way at once.'),
  'queue-max': limit(
    'queueMax',
    integer(1, 1_000_000),
    RESTART,
    'At most this many questions wait for their turn; further users are answered 503.',
  ),
  failures: limit('failures', integer(1, 1000), RESTART, 'The source is left alone after this many failures in a row.'),
  'open-ms': limit('openMs', milliseconds(100, 600_000), RESTART, 'It is then left alone for this time.'),
};

export const httpRows = section(
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

export const sqlRows = section(
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
      { example: '/etc/aorta/db-password' },
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
      { otherwise: '`verify` with `ca` or over a network, else `off`', example: 'verify' },
    ),
    ca: row('auth.provider.sql.ca', file, RESTART, 'Certificates in this file are trusted instead of the system’s.', {
      example: '/etc/aorta/db-ca.pem',
    }),
    ...under('auth.provider.sql.limits', providerLimitRows),
  },
  { at: 'auth.provider.sql', base: { limits: DEFAULT_PROVIDER_LIMITS, query: SUBSCRIBER_QUERY } },
);
