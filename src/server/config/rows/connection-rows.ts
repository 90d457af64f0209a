// Rows of the sections `connections`, `tls` and `websocket`.

import type { CertificateFiles } from '../../../transport/node/tls-files.ts';
import { anyOf, bytes, choice, file, integer, listOf, mapped, parsed, seconds, secondsAsMs } from './kinds.ts';
import { AT_ONCE, named, RESTART, row, rowsOf, section } from './row.ts';
import { prefixes } from './texts.ts';

/** The choice of pinged contacts is a key of `policy`. */
export const pingRows = section('Contacts are pinged this way, where `policy.ping` says so.', {
  method: row(
    'policy.pings.method',
    choice('options', 'crlf'),
    AT_ONCE,
    'A ping is an OPTIONS, or empty lines, which keep ways through NAT open and are never missed.',
  ),
  interval: row('policy.pings.intervalS', seconds(1, 86_400), AT_ONCE, 'A contact is pinged once in this time.'),
  losses: row(
    'policy.pings.lossesMax',
    integer(1, 100),
    AT_ONCE,
    'A contact that leaves this many pings in a row unanswered is dead.',
  ),
  dead: row(
    'policy.pings.dead',
    choice('keep', 'park', 'remove'),
    AT_ONCE,
    'A dead contact is kept, left out of lookups until it answers (`park`), or its binding is removed.',
  ),
  order: row(
    'policy.pings.order',
    choice('refreshed', 'rtt'),
    AT_ONCE,
    'Of contacts with the same q, lookups name first the one refreshed last, or the one that answers soonest (`rtt`).',
  ),
});

export const connectionRows = section('Limits of connections: TCP, TLS and WebSocket.', {
  max: row(
    'streams.connectionsMax',
    integer(1, 4_000_000),
    RESTART,
    'At most this many connections stand; further ones are closed at once.',
  ),
  'per-source': row(
    'streams.connectionsPerSourceMax',
    integer(1, 4_000_000),
    AT_ONCE,
    'At most this many connections stand from one IPv4 address or one IPv6 /64.',
  ),
  'idle-seconds': row(
    'streams.idleMs',
    secondsAsMs(1, 86_400),
    AT_ONCE,
    'A connection is closed after this time of silence.',
  ),
  'message-seconds': row(
    'streams.messageMs',
    secondsAsMs(1, 300),
    RESTART,
    'A message, from its first byte, and a TLS handshake take at most this time.',
  ),
  'unsent-bytes': row(
    'streams.unsentBytesMax',
    bytes(65_536, 1 << 26),
    RESTART,
    'A peer that leaves more bytes of answers unread is closed.',
  ),
  'header-bytes': row(
    'streams.headBytesMax',
    bytes(512, 65_535),
    RESTART,
    'A message has at most this many bytes up to its empty line.',
  ),
  'incomplete-bytes': row(
    'streams.incompleteBytesMax',
    bytes(1 << 20, 2 ** 40),
    RESTART,
    'Incomplete messages take at most this memory together; the connection of the oldest is closed beyond it.',
    { otherwise: 'a 64th of the memory, 4M to 64M', example: 64 << 20 },
  ),
});

const certificateRow = rowsOf<CertificateFiles>();
const certificate = section('A certificate and its key for one domain.', {
  cert: certificateRow(
    'certFile',
    file,
    RESTART,
    'Clients that ask for the domain by name (SNI) get this certificate (PEM).',
    {
      required: true,
      example: 'example.net.pem',
    },
  ),
  key: certificateRow('keyFile', file, RESTART, 'The private key of the certificate (PEM).', {
    required: true,
    example: 'example.net.key',
  }),
});

const VERSIONS = { '1.2': 'TLSv1.2', '1.3': 'TLSv1.3' } as const;
const version = mapped(
  choice('1.2', '1.3'),
  (name) => VERSIONS[name],
  (name) => (name === 'TLSv1.3' ? '1.3' : '1.2'),
);

export const tlsRows = section('Certificates of the listeners with TLS.', {
  cert: row(
    'tls.certFile',
    file,
    RESTART,
    'Listeners with TLS show this certificate, with those up to a known one (PEM).',
    { flag: { option: '--tls-cert <file>' }, example: 'cert.pem' },
  ),
  key: row('tls.keyFile', file, RESTART, 'The private key of the certificate (PEM).', {
    flag: { option: '--tls-key <file>' },
    example: 'key.pem',
  }),
  ca: row('tls.caFile', file, RESTART, 'Client certificates count that these authorities signed (PEM).', {
    example: 'clients.pem',
  }),
  'client-certificates': row(
    'tls.clientCertificates',
    choice('none', 'optional', 'required'),
    RESTART,
    'Clients are asked for a certificate, and must have one (`required`).',
    { otherwise: '`optional` with `ca`, else `none`', example: 'optional' },
  ),
  'trusted-domains': row(
    'tls.trustedDomains',
    anyOf(parsed('domain', (name) => name.toLowerCase())),
    RESTART,
    'Clients with a certificate for one of these domains vouch for the identity of their users (RFC 5922).',
    { example: ['proxy.example.com'] },
  ),
  'min-version': row('tls.minVersion', version, RESTART, 'Older versions of TLS are refused.', {
    otherwise: '`1.2`',
    example: '1.2',
  }),
  domains: named(
    'tls.domains',
    { name: 'domain', example: 'example.net', canonical: (name) => name.toLowerCase() },
    certificate,
  ),
});

/** An origin as browsers send it. Throws a RangeError. */
function parseOrigin(text: string): string {
  const origin = text.toLowerCase();
  if (['*', 'loopback', 'null'].includes(origin)) return origin;
  if (!/^[a-z][a-z0-9+.-]*:\/\/[^/?#@\s]+$/.test(origin))
    throw new RangeError(`expected an origin such as https://phone.example.com, loopback or *, got "${text}"`);
  return origin.replace(/^(https:.*):443$|^(http:.*):80$/, '$1$2');
}

/** RFC 6265 §4.1.1. Throws a RangeError. */
/** Empty: none. */
function parseCookieName(name: string): string {
  if (/^[!#$%&'*+.^_`|~0-9A-Za-z-]*$/.test(name)) return name;
  throw new RangeError(`expected the name of a cookie such as access_token, got "${name}"`);
}

export const webSocketRows = section('WebSocket listeners, besides the limits of all connections.', {
  origins: row(
    'webSocket.origins',
    listOf(parsed('origin such as `https://phone.example.com`, `loopback`, `*`', parseOrigin)),
    RESTART,
    'Pages of these origins may connect; `loopback` stands for pages of this machine, `*` for all.',
    { otherwise: '`*` with authentication, else `loopback`' },
  ),
  'token-cookie': row(
    'webSocket.tokenCookie',
    parsed('name of a cookie', parseCookieName),
    RESTART,
    'A cookie of this name with the handshake is an access token, for REGISTERs without credentials.',
    { otherwise: 'none', example: 'access_token' },
  ),
  'idle-seconds': row(
    'webSocket.idleS',
    seconds(8, 960),
    RESTART,
    'A client that is silent for this time is closed, after a ping.',
  ),
  'trusted-proxies': row(
    'webSocket.trustedProxies',
    prefixes,
    RESTART,
    'X-Forwarded-For of proxies at these addresses names the client.',
    { example: ['127.0.0.1'] },
  ),
});
