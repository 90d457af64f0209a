// Rows of the section `cluster`: one node of several.

import {
  DEFAULT_CLUSTER,
  formatNatsServer,
  formatPeer,
  parseMonitor,
  parseName,
  parseNatsServer,
  parsePeer,
} from '../sections/cluster-config.ts';
import { anyOf, choice, file, listOf, milliseconds, parsed } from './kinds.ts';
import { RESTART, row, section } from './row.ts';

const natsRows = section('Streams of bindings are kept by these servers.', {
  servers: row(
    'cluster.nats.servers',
    listOf(parsed('`nats://HOST:PORT` or `tls://HOST:PORT`', parseNatsServer, formatNatsServer)),
    RESTART,
    'The NATS servers are at these addresses, the nearest first.',
    { required: true, example: ['nats://10.0.0.11:4222', 'nats://10.0.0.12:4222', 'nats://10.0.0.13:4222'] },
  ),
  credentials: row(
    'cluster.nats.credentials',
    file,
    RESTART,
    'The node logs in with this file: NATS credentials (`.creds`), an nkey seed, a line `user:password` or a token.',
    { example: '/etc/aorta/nats.creds' },
  ),
  ca: row(
    'cluster.nats.ca',
    file,
    RESTART,
    'The certificates of `tls://` servers are signed by one of this file; without it, by an authority of the system.',
    { example: '/etc/aorta/nats-ca.pem' },
  ),
  cert: row(
    'cluster.nats.cert',
    file,
    RESTART,
    'The node shows this certificate to `tls://` servers that want one; its file may change at any time.',
    { example: '/etc/aorta/nats-client.pem' },
  ),
  key: row('cluster.nats.key', file, RESTART, 'The certificate has this private key.', {
    example: '/etc/aorta/nats-client.key',
  }),
  sync: row(
    'cluster.nats.sync',
    choice('always', 'lazy'),
    RESTART,
    'Servers have each record on disk before they acknowledge it (`always`), or may be ahead of their disks (`lazy`).',
  ),
  monitors: row(
    'cluster.nats.monitors',
    anyOf(parsed('`http://HOST:PORT`', parseMonitor)),
    RESTART,
    'The monitoring of the servers at these addresses says whether they sync, and have routes to each other.',
    { example: ['http://10.0.0.11:8222', 'http://10.0.0.12:8222', 'http://10.0.0.13:8222'] },
  ),
});

export const clusterRows = section(
  'The server is a node of a cluster (docs/cluster.md).',
  {
    name: row('cluster.name', parsed('name', parseName), RESTART, 'The cluster has this name.', {
      required: true,
      example: 'east',
    }),
    node: row('cluster.node', parsed('name', parseName), RESTART, 'No other node of the cluster has this name.', {
      required: true,
      example: 'a',
    }),
    listen: row(
      'cluster.listen',
      parsed('`HOST:PORT`', parsePeer, formatPeer),
      RESTART,
      'The other nodes reach this one at this address, and at the next port for copies; both are for a private network.',
      { required: true, example: '10.0.0.11:5090' },
    ),
    nats: natsRows,
    'silent-ms': row(
      'cluster.silentMs',
      milliseconds(500, 60_000),
      RESTART,
      'A node that is not heard of for this time loses its shards to the others.',
    ),
    'hold-ms': row(
      'cluster.holdMs',
      milliseconds(1000, 60_000),
      RESTART,
      'Registrations that no node can decide wait for this time. Then they draw 503, or 504 where they may have been written.',
    ),
  },
  { at: 'cluster', base: DEFAULT_CLUSTER },
);
