// Rows of the sections `admin`, `lookup` and `location`: access to the server's state, and to users' bindings.

import { DEFAULT_LOOKUP_POLICY } from '../../../core/uas/lookup-policy.ts';
import { httpUrl, parseHttpAddress } from '../http-address.ts';
import { DEFAULT_ADMIN_LISTEN } from '../sections/admin-config.ts';
import { formatHttpAddress, parseHttpAddress as parseLookupAddress } from '../sections/lookup-config.ts';
import { anyOf, choice, file, mapped, parsed, yesOrNo } from './kinds.ts';
import { AT_ONCE, orText, RESTART, row, section } from './row.ts';
import { prefixes } from './texts.ts';

export const adminRows = orText(
  'listen',
  section(
    'The admin listener has the API, metrics, health and the dashboard.',
    {
      listen: row(
        'admin.listen',
        parsed('`http:HOST:PORT` or `https:HOST:PORT`', parseHttpAddress, httpUrl),
        RESTART,
        'The admin listener is at this address.',
        {
          flag: { option: '--admin <http:HOST:PORT>' },
          otherwise: 'none; `http://127.0.0.1:8060` in an empty section',
          example: 'http://127.0.0.1:8060',
        },
      ),
      'require-token': row(
        'admin.requireToken',
        yesOrNo,
        RESTART,
        'Requests need the token of the data directory; off on loopback addresses alone.',
        { otherwise: '`false` on a loopback address, else `true`', example: true },
      ),
      certificate: row('admin.tls.certificate', file, RESTART, 'The certificate for https (PEM).', {
        example: 'admin.pem',
      }),
      key: row('admin.tls.key', file, RESTART, 'The private key of the certificate (PEM).', { example: 'admin.key' }),
    },
    { at: 'admin', base: { listen: DEFAULT_ADMIN_LISTEN } },
  ),
);

/** This machine may always ask. */
const askers = mapped(
  prefixes,
  (given) => [...DEFAULT_LOOKUP_POLICY.from, ...given],
  (all) => all.filter((one) => !DEFAULT_LOOKUP_POLICY.from.includes(one)),
);

export const lookupRows = section('These may ask where a user is.', {
  sip: row(
    'policy.lookup.sip',
    choice('off', 'trusted', 'authenticated', 'anyone'),
    AT_ONCE,
    'Requests for a user are redirected (302) for proxies in `from` and this machine (`trusted`), also for users who log in (`authenticated`), or for `anyone`.',
    { flag: { option: '--lookup-sip <who>' } },
  ),
  from: row(
    'policy.lookup.from',
    askers,
    AT_ONCE,
    'Proxies at these addresses may ask, besides this machine and `auth.trusted-proxies`.',
    { flag: { option: '--lookup-from <address>', many: true }, example: ['192.0.2.10'] },
  ),
  http: row(
    'lookupHttp',
    anyOf(parsed('`http:HOST:PORT`', parseLookupAddress, formatHttpAddress)),
    RESTART,
    'Lookups by HTTP are answered at these addresses.',
    { flag: { option: '--lookup <http:HOST:PORT>', many: true }, example: ['http:127.0.0.1:8061'] },
  ),
});

export const locationRows = section('Other processes of this machine look users up.', {
  shared: row(
    'sharedLocation',
    yesOrNo,
    RESTART,
    'The registrar keeps a read model, which other processes open with `aorta/location`.',
  ),
});
