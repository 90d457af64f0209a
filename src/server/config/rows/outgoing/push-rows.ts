// Rows of the section `push`: devices that sleep, and the services that wake them.

import { DEFAULT_APNS, DEFAULT_FCM, DEFAULT_PUSH } from '../../sections/push-config.ts';
import { choice, expected, file, integer, listOf, milliseconds, parsed, seconds } from '../kinds.ts';
import { RESTART, row, section } from '../row.ts';
import { issuerUrl, webUrl } from './web-url.ts';

const appleId = parsed('ten letters and digits', (id) => {
  if (/^[A-Z0-9]{10}$/.test(id)) return id;
  throw new RangeError(expected('ten capital letters and digits', id));
});

const provider = parsed('value of `pn-provider`', (name) => {
  if (/^[a-z0-9._-]{1,32}$/.test(name)) return name;
  throw new RangeError(expected('a value of pn-provider in small letters, such as webpush', name));
});

const publicKey = parsed('public key, base64url', (key) => {
  if (/^[A-Za-z0-9_-]{87}$/.test(key)) return key;
  throw new RangeError(expected('an uncompressed P-256 key in base64url: 87 characters', key));
});

const apnsRows = section(
  'Devices of Apple are woken by APNs.',
  {
    'team-id': row('push.apns.teamId', appleId, RESTART, 'The account has this Team ID at Apple.', {
      required: true,
      example: 'DEF123GHIJ',
    }),
    'key-id': row('push.apns.keyId', appleId, RESTART, 'The key has this ID.', {
      required: true,
      example: 'ABC123DEFG',
    }),
    'key-file': row('push.apns.keyFile', file, RESTART, 'The key is in this file, as Apple gives it (PEM).', {
      required: true,
      example: '/etc/aorta/AuthKey_ABC123DEFG.p8',
    }),
    url: row(
      'push.apns.url',
      issuerUrl,
      RESTART,
      'APNs is there; `https://api.sandbox.push.apple.com` for development.',
    ),
  },
  { at: 'push.apns', base: DEFAULT_APNS },
);

const fcmRows = section(
  'Devices of Google are woken by Firebase Cloud Messaging (HTTP v1).',
  {
    'account-file': row(
      'push.fcm.accountFile',
      file,
      RESTART,
      'The key of the service account is in this file, as Google gives it (JSON).',
      { required: true, example: '/etc/aorta/fcm-account.json' },
    ),
    url: row('push.fcm.url', issuerUrl, RESTART, 'FCM is there.'),
  },
  { at: 'push.fcm', base: DEFAULT_FCM },
);

const webhookRows = section(
  'Devices of other services are woken by a program of yours, which gets signed HTTP requests.',
  {
    url: row('push.webhook.url', webUrl, RESTART, 'Pushes are posted there.', {
      required: true,
      example: 'https://push.example.com/wake',
    }),
    'secret-file': row(
      'push.webhook.secretFile',
      file,
      RESTART,
      'The key of the signature (HMAC-SHA256) is in this file.',
      {
        required: true,
        example: '/etc/aorta/push-secret',
      },
    ),
    providers: row(
      'push.webhook.providers',
      listOf(provider),
      RESTART,
      'Devices with these values of `pn-provider` are woken by it.',
      { required: true, example: ['webpush'] },
    ),
    'vapid-key': row(
      'push.webhook.vapidKey',
      publicKey,
      RESTART,
      'It names itself by this public key to web push services (RFC 8292), and devices are told so.',
      {
        example: 'BA1Hxzyi1RUM1b5wjxsn7nGxAszw2u61m164i3MrAIxHF6YK5h4SDYic-dRuU_RCPCfA5aq9ojSwk5Y2EmClBPs',
      },
    ),
  },
  { at: 'push.webhook', base: {} },
);

export const pushRows = section(
  'Lookups wake devices that sleep (RFC 8599).',
  {
    'wait-ms': row(
      'push.waitMs',
      milliseconds(100, 25_000),
      RESTART,
      'A lookup waits at most so long for devices that it has woken.',
    ),
    'refresh-s': row(
      'push.refreshS',
      seconds(0, 3000),
      RESTART,
      'Devices are woken so long before their binding ends, to refresh it; 0: they are not. Bindings must last a minute longer.',
    ),
    'dormant-s': row(
      'push.dormantS',
      seconds(0, 90 * 86_400),
      RESTART,
      'Bindings of devices are kept so long behind their expiry, unseen, for lookups to wake the devices.',
    ),
    'per-second': row(
      'push.perSecond',
      integer(1, 100_000),
      RESTART,
      'At most so many pushes are sent in a second; further ones wait for their turn, as long as their lookup does.',
    ),
    'other-services': row(
      'push.otherServices',
      choice('accept', 'refuse'),
      RESTART,
      'Contacts of push services that are not served here are bound without push (`accept`), or refused with 555 (`refuse`).',
    ),
    'timeout-ms': row('push.timeoutMs', milliseconds(50, 25_000), RESTART, 'A service has this time to answer.'),
    'retry-ms': row(
      'push.retryMs',
      milliseconds(10, 10_000),
      RESTART,
      'The pause behind an attempt that failed; it doubles with each.',
    ),
    failures: row(
      'push.failures',
      integer(1, 1000),
      RESTART,
      'A service is left alone after this many failures in a row.',
    ),
    'open-ms': row('push.openMs', milliseconds(100, 600_000), RESTART, 'It is then left alone for this time.'),
    apns: apnsRows,
    fcm: fcmRows,
    webhook: webhookRows,
  },
  { at: 'push', base: DEFAULT_PUSH },
);
