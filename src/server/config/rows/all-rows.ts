// The configuration file: all its keys, in the order in which documents show them.

import { isIPv4 } from 'node:net';
import { REGISTRARS_GROUP } from '../../../transport/node/multicast.ts';
import { SHARDS_MAX } from '../defaults.ts';
import { formatListenAddress, LISTEN_FORMS, parseListenAddress } from '../listener-text.ts';
import { DEFAULT_HEP, formatCollector, parseCollector } from '../sections/hep-config.ts';
import { abuseRows } from './abuse-rows.ts';
import { authRows } from './auth-rows.ts';
import { clusterRows } from './cluster-rows.ts';
import { connectionRows, pingRows, tlsRows, webSocketRows } from './connection-rows.ts';
import { adminRows, locationRows, lookupRows } from './http-rows.ts';
import {
  choice,
  file,
  hidden,
  integer,
  type Kind,
  listOf,
  mapped,
  parsed,
  percent,
  seconds,
  text,
  yesOrNo,
} from './kinds.ts';
import { feedRows } from './outgoing/feed-rows.ts';
import { pushRows } from './outgoing/push-rows.ts';
import { domainRows, homeRows, limitRows, parserRows, policyRows } from './policy-rows.ts';
import { AT_ONCE, type InputOfKeys, named, RESTART, row, section } from './row.ts';
import { subscriptionRows } from './subscription-rows.ts';
import { parseDomain } from './texts.ts';

/** A name of the server itself in the form of Policy.serverNames. Throws a RangeError. */
function parseServerName(name: string): string {
  if (name === '*') throw new RangeError('expected a name of this server such as sip.example.com, got "*"');
  return parseDomain(name);
}

const onceEach = <In>(kind: Kind<readonly string[], In>) =>
  mapped(
    kind,
    (list) => [...new Set(list)],
    (list) => list,
  );

const interfaceAddress = parsed('IPv4 address', (address) => {
  if (isIPv4(address)) return address;
  throw new RangeError('expected the IPv4 address of an interface of this machine, such as 192.0.2.20');
});
const groupAddress = parsed('multicast address', (address) => {
  if (isIPv4(address) && /^2(2[4-9]|3\d)\./.test(address)) return address;
  throw new RangeError(`expected a multicast address such as ${REGISTRARS_GROUP}`);
});

const multicastRows = section(
  'Registrations over multicast (RFC 3261 §10.2.6).',
  {
    interface: row(
      'multicast.interface',
      interfaceAddress,
      RESTART,
      'The group is joined on the interface with this address.',
      { required: true, example: '192.0.2.20' },
    ),
    group: row('multicast.group', groupAddress, RESTART, 'Registrations to this multicast group are accepted.'),
    port: row('multicast.port', integer(0, 65_535), RESTART, 'The group is heard on this UDP port.'),
  },
  { at: 'multicast', base: { group: REGISTRARS_GROUP, port: 5060 } },
);

const drainRows = section('How a server stops.', {
  'announce-s': row(
    'drain.announceS',
    seconds(0, 3600),
    AT_ONCE,
    'A server that is told to stop serves on for this time while `/readyz` answers 503.',
  ),
  'limit-s': row(
    'drain.limitS',
    seconds(1, 3600),
    AT_ONCE,
    'The rest of a stop takes at most this time; then the process ends all the same.',
  ),
});

const hepRows = section(
  'Copies of messages for HOMER or another collector of HEP v3.',
  {
    to: row(
      'hep.to',
      parsed('`HOST:PORT`', parseCollector, formatCollector),
      RESTART,
      'The collector listens at this address, over UDP.',
      { required: true, example: '192.0.2.9:9060' },
    ),
    sample: row('hep.samplePercent', percent(100), RESTART, 'This share of AORs is sent, in percent.'),
    'capture-id': row('hep.captureId', integer(0, 2 ** 32 - 1), RESTART, 'The server has this number in HEP packets.'),
    'auth-key': row(
      'hep.authKey',
      hidden(text()),
      RESTART,
      'The collector wants this password, which HEP carries in the clear.',
      {
        example: '…',
      },
    ),
  },
  { at: 'hep', base: DEFAULT_HEP },
);

export const CONFIG_ROWS = section('All keys are optional.', {
  listen: row(
    'listen',
    listOf(parsed(LISTEN_FORMS, parseListenAddress, formatListenAddress)),
    RESTART,
    'The server listens on these transports and IP addresses.',
    { flag: { option: '--listen <transport:HOST:PORT>', many: true } },
  ),
  domains: named(
    'policy.byDomain',
    { name: 'domain', example: 'example.com', canonical: parseDomain },
    domainRows,
    row(
      'policy.domains',
      onceEach(listOf(parsed('domain, `*` for every one; or entries by domain', parseDomain))),
      AT_ONCE,
      'Users of these domains are served.',
      {
        flag: { option: '--domain <name>', many: true },
        otherwise: '`localhost`, `127.0.0.1` and the own addresses of `listen`',
      },
    ),
  ),
  'server-names': row(
    'policy.serverNames',
    onceEach(listOf(parsed('host', parseServerName))),
    AT_ONCE,
    'These hosts in a Request-URI are this server, besides the addresses it listens on.',
    { example: ['sip.example.com'] },
  ),
  ...homeRows,
  data: row(
    'data',
    file,
    RESTART,
    'Bindings and users are kept in this directory, which is made where it is missing.',
    {
      flag: { option: '--data <dir>' },
    },
  ),
  shards: row('shards', integer(1, SHARDS_MAX), RESTART, 'The AORs are divided among this many shard threads.', {
    flag: { option: '--shards <n>' },
    otherwise: 'as many as the data directory has; one per core for a new one',
    example: 4,
  }),
  'allow-unauthenticated': row(
    'allowUnauthenticated',
    yesOrNo,
    RESTART,
    'Other addresses than loopback are served without authentication.',
    { flag: { option: '--allow-unauthenticated' } },
  ),
  durability: row(
    'durability',
    choice('durable', 'process'),
    RESTART,
    'Bindings are on disk before the 200 (`durable`), or survive a crash of the process alone (`process`).',
    {
      flag: { option: '--durability <word>' },
      otherwise: '`durable`; `process` in a cluster, whose servers have it on disk',
    },
  ),
  udp: row(
    'udp',
    choice('auto', 'separate', 'dgram'),
    RESTART,
    'UDP and TCP use the kernel’s batch calls (`auto`), those without messages of several datagrams (`separate`), or Node’s own sockets (`dgram`).',
    { flag: { option: '--udp <mode>' } },
  ),
  'log-level': row(
    'logLevel',
    choice('trace', 'debug', 'info', 'warn', 'error', 'silent'),
    AT_ONCE,
    'The log has events of this level and above.',
    { flag: { option: '--log-level <level>' } },
  ),
  'log-format': row(
    'logFormat',
    choice('auto', 'text', 'json'),
    RESTART,
    'The log is lines for people (`text`), one JSON object per line (`json`), or text on a terminal and JSON elsewhere (`auto`).',
    { flag: { option: '--log-format <format>' } },
  ),
  admin: adminRows,
  auth: authRows,
  policy: policyRows,
  limits: limitRows,
  parser: parserRows,
  lookup: lookupRows,
  'registration-events': subscriptionRows,
  pings: pingRows,
  location: locationRows,
  cluster: clusterRows,
  tls: tlsRows,
  connections: connectionRows,
  websocket: webSocketRows,
  multicast: multicastRows,
  abuse: abuseRows,
  drain: drainRows,
  hep: hepRows,
  feed: feedRows,
  push: pushRows,
});

/** The content of the file, as a type. */
export type FileInput = InputOfKeys<(typeof CONFIG_ROWS)['keys']>;
