// Rows of the section `auth.tokens`: access tokens accepted beside passwords.

import { TRANSPORT_NAMES } from '../../../sip/sources.ts';
import { DEFAULT_TOKENS, TOKEN_ALGORITHMS } from '../sections/token-config.ts';
import { anyOf, bytes, choice, expected, file, listOf, parsed, seconds, text } from './kinds.ts';
import { issuerUrl, refuseCredentials } from './outgoing/web-url.ts';
import { providerLimitRows } from './provider-rows.ts';
import { RESTART, row, section, under } from './row.ts';
import { parseDomain } from './texts.ts';

/** It is written into a challenge, between quotes. */
const httpsUrl = parsed('https URL', (url) => {
  if (!/^https:\/\/[!#-[\]-~]+$/.test(url) || !URL.canParse(url)) throw new RangeError(expected('an https URL', url));
  refuseCredentials(url);
  return url;
});

const scopes = parsed('names divided by blanks', (scope) => {
  if (/^[!#-[\]-~]+( [!#-[\]-~]+)*$/.test(scope)) return scope;
  throw new RangeError(expected('names divided by single blanks', scope));
});

const claim = text('name of a claim');

export const tokenRows = section(
  'Access tokens count beside passwords (RFC 8898).',
  {
    issuer: row('auth.tokens.issuer', httpsUrl, RESTART, 'Tokens are those of this issuer (`iss`).', {
      required: true,
      example: 'https://login.example.com/',
    }),
    audience: row('auth.tokens.audience', text(), RESTART, 'Tokens are made for this audience (`aud`).', {
      required: true,
      example: 'sip.example.com',
    }),
    'authz-server': row('auth.tokens.authzServer', httpsUrl, RESTART, 'Challenges send clients there for a token.', {
      otherwise: 'the issuer',
      example: 'https://login.example.com/',
    }),
    jwks: row(
      'auth.tokens.jwks',
      issuerUrl,
      RESTART,
      'Tokens are signed with keys that the issuer publishes there (RFC 7517).',
      {
        example: 'https://login.example.com/jwks.json',
      },
    ),
    introspection: row(
      'auth.tokens.introspection',
      issuerUrl,
      RESTART,
      'The issuer is asked there about each token (RFC 7662).',
      { example: 'https://login.example.com/introspect' },
    ),
    'client-id': row('auth.tokens.clientId', text(), RESTART, 'Aorta has this name at `introspection`.', {
      example: 'aorta',
    }),
    'client-secret-file': row(
      'auth.tokens.clientSecretFile',
      file,
      RESTART,
      'Its secret is in this file, which is read anew for each question.',
      { example: '/etc/aorta/client-secret' },
    ),
    algorithms: row(
      'auth.tokens.algorithms',
      listOf(choice(...TOKEN_ALGORITHMS)),
      RESTART,
      'Signatures by these algorithms count.',
    ),
    scope: row('auth.tokens.scope', scopes, RESTART, 'Tokens must grant all of these, which challenges name.', {
      otherwise: 'none',
      example: 'sip',
    }),
    'user-claim': row(
      'auth.tokens.userClaim',
      claim,
      RESTART,
      'This claim is the user: an address, or a name where tokens count in one domain.',
    ),
    'aors-claim': row('auth.tokens.aorsClaim', claim, RESTART, 'This claim lists what the user may register besides.'),
    domains: row(
      'auth.tokens.domains',
      anyOf(parsed('domain', parseDomain)),
      RESTART,
      'Tokens count in these domains; an empty list means all.',
    ),
    'clock-skew-s': row(
      'auth.tokens.clockSkewS',
      seconds(0, 300),
      RESTART,
      'The issuer’s clock may differ by this much.',
    ),
    transports: row(
      'auth.tokens.transports',
      listOf(choice(...TRANSPORT_NAMES)),
      RESTART,
      'Tokens are offered and accepted over these transports alone: a token can be used by anybody who reads it.',
    ),
    'token-bytes': row('auth.tokens.tokenBytesMax', bytes(64, 32_768), RESTART, 'Longer tokens are refused unseen.'),
    'keys-max-age-s': row(
      'auth.tokens.keysMaxAgeS',
      seconds(10, 86_400),
      RESTART,
      'The issuer’s keys are fetched anew after this time.',
    ),
    'keys-cooldown-s': row(
      'auth.tokens.keysCooldownS',
      seconds(1, 3600),
      RESTART,
      'For a token with an unknown key they are fetched at most once in this time.',
    ),
    ...under('auth.tokens.limits', providerLimitRows),
  },
  { at: 'auth.tokens', base: DEFAULT_TOKENS },
);
