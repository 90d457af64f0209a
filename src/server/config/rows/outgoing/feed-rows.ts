// Rows of the section `feed`: changes of bindings with numbers that outlive the process, and their destinations.

import { DEFAULT_FEED, DEFAULT_NATS, DEFAULT_WEBHOOK, type RetryConfig } from '../../sections/feed-config.ts';
import {
  byName,
  bytes,
  expected,
  file,
  hidden,
  integer,
  listOf,
  milliseconds,
  parsed,
  text,
  yesOrNo,
} from '../kinds.ts';
import { RESTART, type Row, row, rowsOf, section } from '../row.ts';
import { webUrlWithHeaders } from './web-url.ts';

const SECRET_CHARS_MIN = 8;

const secret = parsed(`text of ${SECRET_CHARS_MIN} characters or more`, (key) => {
  if (key.length >= SECRET_CHARS_MIN) return key;
  throw new RangeError(`has fewer than ${SECRET_CHARS_MIN} characters`);
});

const natsServer = parsed('`HOST:PORT`, `nats://…`, `tls://…`', (server) => {
  if (/^(?:(?:nats|tls):\/\/)?(?:\[[0-9a-f:.]+\]|[a-z0-9.-]+)(?::[0-9]{1,5})?$/i.test(server)) return server;
  throw new RangeError('expected a server such as nats.example.com:4222, without name and password');
});

const subject = parsed('subject', (given) => {
  if (/^[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*$/.test(given)) return given;
  throw new RangeError(expected('a subject of letters, digits, "-" and "_" with dots between', given));
});

const retryRow = rowsOf<RetryConfig>();

/** A row of RetryConfig at its place in the Config. */
const below = <R extends Row>(at: string, one: R): R => ({ ...one, at: [...at.split('.'), ...one.at] });

const times = (at: 'feed.webhook' | 'feed.nats', what: string) => ({
  'timeout-ms': below(at, retryRow('timeoutMs', milliseconds(50, 60_000), RESTART, `${what} has this time to answer.`)),
  'retry-ms': below(
    at,
    retryRow(
      'retryMs',
      milliseconds(50, 60_000),
      RESTART,
      'The pause behind a failure; it doubles with each in a row.',
    ),
  ),
  'retry-max-ms': below(at, retryRow('retryMaxMs', milliseconds(50, 3_600_000), RESTART, 'No pause is longer.')),
  failures: below(
    at,
    retryRow(
      'failures',
      integer(1, 1000),
      RESTART,
      'After so many failures in a row the breaker is open: one attempt in each longest pause.',
    ),
  ),
});

const webhookRows = section(
  'Changes are sent as signed HTTP requests.',
  {
    url: row('feed.webhook.url', webUrlWithHeaders, RESTART, 'Changes are posted there.', {
      required: true,
      example: 'https://example.com/aorta',
    }),
    secret: row('feed.webhook.secret', hidden(secret), RESTART, 'The key of the signature (HMAC-SHA256).', {
      required: true,
      example: 'a secret of the receiver',
    }),
    headers: row('feed.webhook.headers', byName('name', hidden(text())), RESTART, 'Requests have these headers, too.', {
      example: { authorization: 'Bearer …' },
    }),
    'batch-max': row('feed.webhook.batchMax', integer(1, 1000), RESTART, 'A request has at most so many changes.'),
    ...times('feed.webhook', 'The receiver'),
  },
  { at: 'feed.webhook', base: DEFAULT_WEBHOOK },
);

const natsRows = section(
  'Changes are published to a JetStream stream of NATS.',
  {
    servers: row('feed.nats.servers', listOf(natsServer), RESTART, 'The NATS servers to connect to.', {
      required: true,
      example: ['nats.example.com:4222'],
    }),
    subject: row(
      'feed.nats.subject',
      subject,
      RESTART,
      'Subjects begin with this; domain and kind follow: `aorta.events.example_com.registered`.',
    ),
    credentials: row('feed.nats.credentials', file, RESTART, 'A file of credentials as `nsc` writes it.', {
      example: 'aorta.creds',
    }),
    token: row('feed.nats.token', hidden(text()), RESTART, 'The servers want this token.', { example: '…' }),
    ca: row(
      'feed.nats.ca',
      file,
      RESTART,
      'The certificates of `tls://` servers are signed by one of this file; without it, by an authority of the system.',
      { example: '/etc/aorta/nats-ca.pem' },
    ),
    'batch-max': row(
      'feed.nats.batchMax',
      integer(1, 10_000),
      RESTART,
      'At most so many messages wait for their acknowledgement.',
    ),
    ...times('feed.nats', 'The stream'),
  },
  { at: 'feed.nats', base: DEFAULT_NATS },
);

export const feedRows = section(
  'Changes of bindings are kept with numbers that outlive the process, and sent to others.',
  {
    'keep-bytes': row(
      'feed.keepBytes',
      bytes(1 << 20, 2 ** 40),
      RESTART,
      'Each shard keeps so many bytes of changes; the oldest go first.',
    ),
    refreshes: row('feed.refreshes', yesOrNo, RESTART, 'Refreshes are changes, too.'),
    webhook: webhookRows,
    nats: natsRows,
  },
  { at: 'feed', base: DEFAULT_FEED },
);
