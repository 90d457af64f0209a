// HTTP requests as nobody writes them, seeded: real routes with wrong methods, paths, queries, headers and bodies.

import type { Mutations } from '../oracle/mutations.ts';

const METHODS = [
  'GET',
  'GET',
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'PATCH',
  'DELETE',
  'OPTIONS',
  'TRACE',
  'PROPFIND',
  'get',
  'G\0T',
];
const PATHS = [
  ...[
    '/',
    '//',
    '/healthz',
    '/readyz',
    '/metrics',
    '/openapi.json',
    '/v1/status',
    '/v1/config',
    '/v1/reload',
    '/v1/drain',
  ],
  ...['/v1/users', '/v1/users/alice@example.com', '/v1/locations', '/v1/locations/alice@example.com', '/v1/events'],
  ...['/v1/location', '/v1/location/sip:alice@example.com', '/v1/lookup', '/v1/statics', '/v1/trace', '/v1/history'],
  ...[
    '/v1/location/%',
    '/v1/location/%00',
    '/v1/users/%ff%fe',
    '/../../etc/passwd',
    '/v1/%2e%2e/x',
    '*',
    'http://x/y',
    '',
  ],
];
const QUERIES = [
  ...[
    '',
    '',
    '?',
    '?limit=0',
    '?limit=-1',
    '?limit=1e9',
    '?limit=9999999999999999999',
    '?after=%',
    '?after=AAAA',
    '?aor=',
  ],
  ...[
    '?aor=sip:alice@example.com',
    '?aor=%00&aor=%00',
    '?format=csv',
    '?format=x',
    '?since=-1',
    `?${'a=b&'.repeat(500)}`,
  ],
];
const HEADERS = [
  ...['Host: localhost', 'Host: ', 'Host: evil.example', 'Origin: http://evil.example', 'Accept: */*', 'Accept: x'],
  ...[
    'Content-Type: application/json',
    'Content-Type: text/plain; charset=x',
    'Authorization: Bearer x',
    'Authorization: Basic',
  ],
  ...[
    'Transfer-Encoding: chunked',
    'Content-Length: 5',
    'Content-Length: -1',
    'Content-Length: 99999999999',
    'Expect: 100-continue',
  ],
  ...[
    'Connection: upgrade',
    'Upgrade: websocket',
    'X: \x7f\xff',
    `X-Long: ${'y'.repeat(9000)}`,
    'no colon',
    ': empty',
    ' folded',
  ],
];
const BODIES = [
  ...['', '{', '{}', '[]', 'null', '"x"', '1e999', '{"__proto__":{"x":1}}', '{"aors":["alice@example.com"]}'],
  ...[
    '{"username":"a","domain":"example.com","password":"x"}',
    '{"aors":null}',
    `[${'['.repeat(5000)}`,
    '\xff\xfe',
    '5\r\nhello\r\n0\r\n\r\n',
  ],
];

/** One request, whole, as bytes. */
export function oddHttpRequest(random: Mutations): Buffer {
  const any = (list: readonly string[]): string => list[random.below(list.length)];
  const version = random.below(20) === 0 ? any(['HTTP/1.0', 'HTTP/2.0', 'HTTP/1.1 ', 'x', '']) : 'HTTP/1.1';
  const body = random.below(2) === 0 ? any(BODIES) : '';
  const rows = Array.from({ length: random.below(5) }, () => any(HEADERS));
  if (body !== '' && random.below(4) !== 0) rows.push(`Content-Length: ${Buffer.byteLength(body, 'latin1')}`);
  if (random.below(8) !== 0) rows.push('Host: 127.0.0.1');
  const text = `${[`${any(METHODS)} ${any(PATHS)}${any(QUERIES)} ${version}`, ...rows].join('\r\n')}\r\n\r\n${body}`;
  const bytes = Buffer.from(text, 'latin1');
  // A byte or two of it changed, now and then.
  for (let i = random.below(3); i > 0 && random.below(3) === 0; i--)
    bytes[random.below(bytes.length)] = random.below(256);
  return bytes;
}
