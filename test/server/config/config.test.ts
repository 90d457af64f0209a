// The configuration: every mistake is named with its place, and what is left out gets its default.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { type Config, DEFAULT_CONFIG } from '../../../src/server/config/config.ts';
import { readConfigFile } from '../../../src/server/config/config-file.ts';
import { ConfigError, type ConfigSource, spellAsFile } from '../../../src/server/config/config-problem.ts';
import { createConfig } from '../../../src/server/config/create-config.ts';
import { effectiveConfig } from '../../../src/server/config/effective-config.ts';
import { parseListenAddress } from '../../../src/server/config/listener-text.ts';
import { afterReload, reloadReport } from '../../../src/server/config/reload.ts';

const directory = mkdtempSync(join(tmpdir(), 'aorta-config-'));
const file = join(directory, 'aorta.yaml');
afterAll(() => rmSync(directory, { recursive: true, force: true }));

function flags(values: Record<string, unknown>): ConfigSource {
  return { values, where: (path) => ({ name: `--${String(path.at(-1))}`, order: 0 }), spell: spellAsFile };
}

function load(yaml: string, ...more: ConfigSource[]): Config {
  writeFileSync(file, yaml);
  return createConfig([readConfigFile(file), ...more]);
}

/** The problems of a file, without the file's directory. */
function problems(yaml: string, ...more: ConfigSource[]): readonly string[] {
  try {
    load(yaml, ...more);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems.map((problem) => problem.replace(`${directory}/`, ''));
    throw error;
  }
  return [];
}

describe('configuration', () => {
  it('R3261-18.2.1-01 has defaults for everything, UDP and TCP on one port among them', () => {
    expect(createConfig([])).toEqual(DEFAULT_CONFIG);
    expect(load('')).toEqual(DEFAULT_CONFIG);
    expect(load('# nothing\n')).toEqual(DEFAULT_CONFIG);
    expect(DEFAULT_CONFIG).toMatchObject({
      listen: [
        { transport: 'udp', host: '127.0.0.1', port: 5060 },
        { transport: 'tcp', host: '127.0.0.1', port: 5060 },
      ],
      data: './data',
      auth: { mode: 'none' },
      durability: 'durable',
      udp: 'auto',
      policy: { domains: ['localhost', '127.0.0.1'], minExpiresS: 60, defaultExpiresS: 3600, maxExpiresS: 7200 },
    });
  });

  it('reads every key', () => {
    const config = load(`
listen: ['udp:127.0.0.1:15060', 'tcp:[::1]:15060', 'tls:127.0.0.1:15443']
domains: [Example.COM., 2001:db8::1]
server-names: [Sip.Example.com., 192.0.2.9]
service-route:
  Example.COM: ['<sip:a.example.com;lr>', 'sip:b.example.com;lr=on']
  '*': sip:c.example.com;lr
associated-uris:
  Alice@Example.COM: [tel:+12145550102, '<sip:a@example.com>']
bulk-numbers:
  Pbx@Example.COM: [+12145550100-+12145550199, +12145550300]
  other@example.com: +12145550200
data: bindings
shards: 3
auth: none
abuse:
  unlimited: []
  failures-max: 5
  scanner-agents: [nmap]
drain:
  announce-s: 4
  limit-s: 30
lookup:
  sip: authenticated
  from: [192.0.2.0/24]
  http: [http:127.0.0.1:8061, 'http:[::1]:0']
websocket:
  origins: ['https://Phone.example.com:443', loopback]
  idle-seconds: 60
  trusted-proxies: [127.0.0.1]
tls:
  cert: cert.pem
  key: /etc/key.pem
  ca: clients.pem
  client-certificates: required
  trusted-domains: [Proxy.example.com]
  min-version: '1.3'
  domains:
    Example.com: {cert: example.pem, key: example.key}
connections:
  max: 1000
  per-source: 10
  idle-seconds: 600
  message-seconds: 5
  unsent-bytes: 131072
  header-bytes: 9000
  incomplete-bytes: 2097152
durability: process
udp: dgram
log-level: warn
log-format: json
policy:
  default-expires: 600
  min-expires: 120
  max-expires: 900
  expires-jitter: 12
  overload-target-ms: 500
  retry-after-max: 60
  contacts-per-aor: 3
  contacts-overflow: reject
  connection-bindings: contact
  flow-grace: 30
  path: strict
  outbound: required
  flow-timer: 90
  gruu: off
  gruu-generation: 7
  warning: true
  force-rport: true
  history-refreshes: true
  transports: [tls, wss]
  networks: 192.0.2.0/24
  ping: nat
pings:
  method: crlf
  interval: 2m
  losses: 5
  dead: park
  order: rtt
limits:
  aor-bytes: 100
  contact-bytes: 200
  path-bytes: 512
  call-id-bytes: 100
  message-bytes: 4096
  timer-j-ms: 2000
  transactions: 5000
  answer-bytes: 67108864
  checkpoint-bytes: 65536
  generation-bytes: 2097152
  history-bytes: 65536
  history-disk-bytes: 1M
location: { shared: true }
registration-events:
  enabled: true
  default-expires: 10m
  min-expires: 90
  max-expires: 2h
  notify-interval: 2
  per-aor: 4
  per-shard: 1000
  from: 192.0.2.30
  watchers: [app@EXAMPLE.com]
parser:
  strict: [call-id, lower-vias]
`);
    expect(config).toEqual({
      listen: [
        { transport: 'udp', host: '127.0.0.1', port: 15060 },
        { transport: 'tcp', host: '::1', port: 15060 },
        { transport: 'tls', host: '127.0.0.1', port: 15443 },
      ],
      data: join(directory, 'bindings'),
      shards: 3,
      sharedLocation: true,
      auth: DEFAULT_CONFIG.auth,
      abuse: { ...DEFAULT_CONFIG.abuse, unlimited: [], failuresMax: 5, scannerAgents: ['nmap'] },
      allowUnauthenticated: false,
      durability: 'process',
      udp: 'dgram',
      drain: { announceS: 4, limitS: 30 },
      lookupHttp: [
        { host: '127.0.0.1', port: 8061 },
        { host: '::1', port: 0 },
      ],
      checkpointBytes: 65536,
      historyDiskBytes: 1 << 20,
      generationBytes: 2 << 20,
      logLevel: 'warn',
      logFormat: 'json',
      policy: {
        domains: ['example.com', '[2001:db8::1]'],
        byDomain: {},
        transports: ['tls', 'wss'],
        networks: ['192.0.2.0/24'],
        serverNames: ['sip.example.com', '192.0.2.9'],
        defaultExpiresS: 600,
        minExpiresS: 120,
        maxExpiresS: 900,
        expiresJitterPercent: 12,
        overloadTargetMs: 500,
        push: null,
        retryAfterMaxS: 60,
        contactsPerAorMax: 3,
        contactsOverflow: 'reject',
        connectionBindings: 'contact',
        flowGraceS: 30,
        path: 'strict',
        outbound: 'required',
        flowTimerS: 90,
        gruu: 'off',
        gruuGeneration: 7,
        warning: true,
        forceRport: true,
        historyRefreshes: true,
        historyBytes: 65_536,
        serviceRoutes: {
          'example.com': ['<sip:a.example.com;lr>', '<sip:b.example.com;lr=on>'],
          '*': ['<sip:c.example.com;lr>'],
        },
        associatedUris: { 'Alice@example.com': ['<tel:+12145550102>', '<sip:a@example.com>'] },
        bulkNumbers: {
          'Pbx@example.com': ['+12145550100-+12145550199', '+12145550300'],
          'other@example.com': ['+12145550200'],
        },
        ping: 'nat',
        pings: { method: 'crlf', intervalS: 120, lossesMax: 5, dead: 'park', order: 'rtt' },
        pathBytesMax: 512,
        aorBytesMax: 100,
        contactBytesMax: 200,
        callIdBytesMax: 100,
        messageBytesMax: 4096,
        timerJMs: 2000,
        transactionsMax: 5000,
        answerBytesMax: 67108864,
        strict: ['call-id', 'lower-vias'],
        lookup: { sip: 'authenticated', from: ['127.0.0.0/8', '::1', '192.0.2.0/24'] },
        subscriptions: {
          ...{ enabled: true, defaultExpiresS: 600, minExpiresS: 90, maxExpiresS: 7200, notifyIntervalS: 2 },
          ...{ perAorMax: 4, perShardMax: 1000, from: ['192.0.2.30'], watchers: ['app@example.com'] },
        },
      },
      streams: {
        connectionsMax: 1000,
        connectionsPerSourceMax: 10,
        idleMs: 600_000,
        messageMs: 5000,
        unsentBytesMax: 131_072,
        headBytesMax: 9000,
        incompleteBytesMax: 2_097_152,
      },
      webSocket: {
        origins: ['https://phone.example.com', 'loopback'],
        tokenCookie: '',
        idleS: 60,
        trustedProxies: ['127.0.0.1'],
      },
      tls: {
        certFile: join(directory, 'cert.pem'),
        keyFile: '/etc/key.pem',
        caFile: join(directory, 'clients.pem'),
        clientCertificates: 'required',
        trustedDomains: ['proxy.example.com'],
        minVersion: 'TLSv1.3',
        domains: {
          'example.com': { certFile: join(directory, 'example.pem'), keyFile: join(directory, 'example.key') },
        },
      },
    });
  });

  it.each([
    ['shards: many', 'aorta.yaml:1:9: shards: expected a whole number from 1 to 64, got "many"'],
    ['shards: 65', 'aorta.yaml:1:9: shards: expected a whole number from 1 to 64, got 65'],
    ['shards: 1.5', 'aorta.yaml:1:9: shards: expected a whole number from 1 to 64, got 1.5'],
    ['shards:', 'aorta.yaml:1:8: shards: expected a whole number from 1 to 64, got nothing'],
    [
      'policy:\n  max-expires: soon',
      'aorta.yaml:2:16: policy.max-expires: expected seconds from 1 to 2147483647, or 90s, 30m or 1h, got "soon"',
    ],
    ['\npolicy: 3', 'aorta.yaml:2:9: policy: expected keys and values, got 3'],
    [
      'parser:\n  strict: [call-id, callid]',
      'aorta.yaml:2:11: parser.strict: expected true, false or names of leniencies, got "callid", did you mean "call-id"?',
    ],
    [
      'service-route:\n  example.com: sip:a.example.com',
      'aorta.yaml:2:16: service-route.example.com: a route needs ";lr" (RFC 3608 §6.3), got "sip:a.example.com"',
    ],
    [
      'service-route:\n  example.com: [tel:1]',
      'aorta.yaml:2:16: service-route.example.com: expected a route such as <sip:proxy.example.com;lr>, got "tel:1"',
    ],
    [
      'associated-uris:\n  alice@example.com: alice',
      'aorta.yaml:2:22: associated-uris.alice@example.com: expected a URI such as sip:alice@example.com, got "alice"',
    ],
    [
      'bulk-numbers:\n  pbx@example.com: [+1, +1214-+121]',
      'aorta.yaml:2:20: bulk-numbers.pbx@example.com: expected numbers such as +12145550100-+12145550199 or +12145550100, got "+1214-+121"',
    ],
    ['bulk-numbers:\n  pbx: +1', 'aorta.yaml:2:8: bulk-numbers.pbx: is no address-of-record: user@domain'],
    [
      'bulk-numbers: {a@x.y: +10-+19, b@x.z: +15, b@x.y: +15}',
      'aorta.yaml:1:51: bulk-numbers.b@x.y: "+15" and "+10-+19" of a@x.y have numbers in common',
    ],
    ['policy:\n  outbound: true', 'aorta.yaml:2:13: policy.outbound: expected one of on, off, required, got true'],
    ['udp: fast', 'aorta.yaml:1:6: udp: expected one of auto, separate, dgram, got "fast"'],
    [
      'lookup:\n  from: proxies',
      'aorta.yaml:2:9: lookup.from: expected an address or a prefix such as 192.0.2.0/24, got "proxies"',
    ],
    [
      'lookup:\n  http: proxy:80',
      'aorta.yaml:2:9: lookup.http: expected http:HOST:PORT with an IP address, such as http:127.0.0.1:8061, got "proxy:80"',
    ],
    [
      'registration-events:\n  max-expires: 60\n  min-expires: 90',
      'aorta.yaml:3:16: registration-events.min-expires: 90 is more than registration-events.max-expires, which is 60',
    ],
    [
      'registration-events:\n  watchers: app',
      'aorta.yaml:2:13: registration-events.watchers: expected a user such as app@example.com, got "app"',
    ],
    [
      `registration-events: {enabled: true}\ncluster: {name: c, node: a, listen: '10.0.0.1:5090', nats: {servers: 'nats://10.0.0.1:4222'}}`,
      'aorta.yaml:1:32: registration-events.enabled: registrations cannot be watched in a cluster: `feed` tells of their changes',
    ],
    ['auth: basic', 'aorta.yaml:1:7: auth.mode: expected one of none, digest, got "basic"'],
    ['allow-unauthenticated: maybe', 'aorta.yaml:1:24: allow-unauthenticated: expected true or false, got "maybe"'],
    ['data: ""', 'aorta.yaml:1:7: data: is empty'],
    ['listen: []', 'aorta.yaml:1:9: listen: is empty'],
    [
      'listen:\n  - udp:127.0.0.1:5060\n  - sctp:127.0.0.1:5060',
      'aorta.yaml:3:5: listen: unknown transport "sctp", expected udp, tcp, tls, ws, wss (got "sctp:127.0.0.1:5060")',
    ],
    [
      'listen: wss:127.0.0.1:5060\nudp: auto',
      'aorta.yaml:1:9: listen: wss:127.0.0.1:5060 needs a certificate and its key: add tls.cert: FILE and tls.key: FILE (for a first try, "aorta cert self-signed" makes them)',
    ],
    [
      'websocket:\n  origins: phone.example.com',
      'aorta.yaml:2:12: websocket.origins: expected an origin such as https://phone.example.com, loopback or *, got "phone.example.com"',
    ],
    [
      'domains: [a.com, "sip:b.com"]',
      'aorta.yaml:1:18: domains: expected a domain such as example.com, got "sip:b.com"',
    ],
    [
      'domains: example.com:5060',
      'aorta.yaml:1:10: domains: expected a domain such as example.com (without a port), an IP address or *, got "example.com:5060"',
    ],
    ['policy:\n  min_expires: 60', 'aorta.yaml:2:3: policy.min_expires: unknown key, did you mean "min-expires"?'],
    ['minexpires: 60', 'aorta.yaml:1:1: minexpires: unknown key, did you mean "policy.min-expires"?'],
    ['auth: Digest', 'aorta.yaml:1:7: auth.mode: expected one of none, digest, got "Digest", did you mean "digest"?'],
    [
      'auth: {algorithms: [SHA256]}',
      'aorta.yaml:1:21: auth.algorithms: expected one of MD5, SHA-256, SHA-512-256, MD5-sess, SHA-256-sess, SHA-512-256-sess, got "SHA256", did you mean "SHA-256"?',
    ],
    [
      'policy: {warning: yes}',
      'aorta.yaml:1:19: policy.warning: expected true or false, got "yes", did you mean true?',
    ],
    ['tls: {cert: a.pem}', 'aorta.yaml:1:13: tls.cert: needs tls.key: FILE beside it'],
    ['admin: {key: a.pem}', 'aorta.yaml:1:14: admin.key: needs admin.certificate: FILE beside it'],
    [
      'tls: {domains: {a.com: {certs: a.pem, cert: b, key: c}}}',
      'aorta.yaml:1:25: tls.domains.a.com.certs: unknown key, did you mean "cert"?',
    ],
    [
      'policy: {min-expires: 1500ms}',
      'aorta.yaml:1:23: policy.min-expires: expected seconds from 1 to 2147483647, or 90s, 30m or 1h, got "1500ms"',
    ],
    [
      'limits: {history-bytes: 4x}',
      'aorta.yaml:1:25: limits.history-bytes: expected bytes from 0 to 1073741824, or 64k or 16M, got "4x"',
    ],
    ['durabilty: process', 'aorta.yaml:1:1: durabilty: unknown key, did you mean "durability"?'],
    ['min-expires: 60', 'aorta.yaml:1:1: min-expires: unknown key, it stands under "policy"'],
    ['policy:\n  shards: 2', 'aorta.yaml:2:3: policy.shards: unknown key, it stands at the top level'],
    ['frobnicate: 1', 'aorta.yaml:1:1: frobnicate: unknown key'],
    [
      'policy:\n  min-expires: 100\n  max-expires: 50',
      'aorta.yaml:2:16: policy.min-expires: 100 is above policy.max-expires, which is 50',
    ],
    [
      'policy: {flow-timer: 600}\nconnections: {idle-seconds: 600}',
      'aorta.yaml:1:22: policy.flow-timer: 600 promises connections more time than connections.idle-seconds has, which is 600',
    ],
    ['- a\n- b', 'aorta.yaml:1:1: expected keys and values, such as "data: ./data"'],
    ['shards: 1\nshards: 2', 'aorta.yaml:2:1: Map keys must be unique'],
    ['shards: 1\n---\nshards: 2', 'aorta.yaml:2:1: a second document begins here, and a file has one'],
    ['shards: *two', 'aorta.yaml:1:9: Unresolved alias (the anchor must be set before the alias): two'],
    ['data: !secret x', 'aorta.yaml:1:7: Unresolved tag: !secret'],
  ])('says where it is wrong: %j', (yaml, problem) => {
    expect(problems(yaml)).toEqual([problem]);
  });

  it('reports every mistake of one run, a line each', () => {
    expect(problems('shards: 0\nudp: x\npolicy:\n  min-expires: -1\n', flags({ durability: 'maybe' }))).toEqual([
      'aorta.yaml:1:9: shards: expected a whole number from 1 to 64, got 0',
      'aorta.yaml:2:6: udp: expected one of auto, separate, dgram, got "x"',
      'aorta.yaml:4:16: policy.min-expires: expected seconds from 1 to 2147483647, or 90s, 30m or 1h, got -1',
      '--durability: expected one of durable, process, got "maybe"',
    ]);
  });

  it('tells the problems of a file in the order of its lines, whatever they are', () => {
    expect(
      problems(
        'frobnicate: 1\nlisten: udp:0.0.0.0:1\nauth: basic\npolicy:\n  what: 1\n  min-expires: soon\nudp: y\n',
      ).map((problem) => problem.split(':')[1]),
    ).toEqual(['1', '3', '5', '6', '7']);
    expect(
      problems('tls: {cert: a.pem}\npolicy: {min-expires: 5, max-expires: 1}\nauth: none\nlisten: udp:0.0.0.0:1').map(
        (problem) => problem.split(':')[1],
      ),
    ).toEqual(['1', '2', '4']);
  });

  it('takes durations and sizes with their units, in every key of that kind', () => {
    const config = load(`
policy: {default-expires: 1h, min-expires: 90s, max-expires: 0.5d, overload-target-ms: 1s, flow-grace: 2m, retry-after-max: 5min}
drain: {announce-s: 1m}
auth: {nonce-lifetime-s: 2h, provider: {http: {url: 'http://x/{user}', timeout-ms: 1.5s, ttl-s: 10m}}}
connections: {idle-seconds: 1 h, unsent-bytes: 256k}
websocket: {idle-seconds: 2m}
abuse: {known-flow-s: 3h}
limits: {answer-bytes: 64M, history-bytes: 4MiB, timer-j-ms: 32s, checkpoint-bytes: 1GB, generation-bytes: 16M}
`);
    expect(config.policy).toMatchObject({
      defaultExpiresS: 3600,
      minExpiresS: 90,
      maxExpiresS: 43_200,
      overloadTargetMs: 1000,
      flowGraceS: 120,
      retryAfterMaxS: 300,
      answerBytesMax: 64 << 20,
      historyBytes: 4 << 20,
      timerJMs: 32_000,
    });
    expect(config).toMatchObject({
      drain: { announceS: 60 },
      auth: { policy: { nonceLifetimeMs: 7_200_000 }, provider: { http: { limits: { timeoutMs: 1500, ttlS: 600 } } } },
      streams: { idleMs: 3_600_000, unsentBytesMax: 256 << 10 },
      webSocket: { idleS: 120 },
      abuse: { knownFlowS: 10_800 },
      checkpointBytes: 1 << 30,
      generationBytes: 16 << 20,
    });
  });

  it('names a file that is not there', () => {
    expect(() => readConfigFile(join(directory, 'none.yaml'))).toThrow(`${join(directory, 'none.yaml')}: no such file`);
  });

  it('reads rules by domain; what a domain leaves out is not its own', () => {
    const config = load(`
domains:
  Example.COM:
    policy: {max-expires: 10m, contacts-per-aor: 2, transports: tls}
  example.net:
`);
    expect(config.policy).toMatchObject({
      domains: ['example.com', 'example.net'],
      byDomain: { 'example.com': { maxExpiresS: 600, contactsPerAorMax: 2, transports: ['tls'] } },
      maxExpiresS: 7200,
      transports: [],
    });
    expect(load('domains: {a.com: {policy: {gruu: off}}}', flags({ domains: ['b.com'] })).policy).toMatchObject({
      domains: ['b.com'],
    });
  });

  it.each([
    ['domains: {}', '1:10: domains: is empty'],
    ["domains: {'*': {policy: {bindings-max: 5}}}", '1:40: domains.*.policy.bindings-max: needs a domain by its name'],
    ['domains: {"sip:x": {}}', '1:11: domains.sip:x: expected a domain such as example.com, got "sip:x"'],
    ['domains: {a.com: {polcy: {}}}', '1:19: domains.a.com.polcy: unknown key, did you mean "policy"?'],
    [
      'domains: {a.com: {policy: {flow-grace: 1}}}',
      '1:28: domains.a.com.policy.flow-grace: is for the whole server, under "policy": ended connections of a shard wait in one queue, whoever used them',
    ],
    [
      'domains: {a.com: {policy: {overload-target-ms: 1}}}',
      '1:28: domains.a.com.policy.overload-target-ms: is for the whole server, under "policy": all domains wait in the same queues',
    ],
    [
      'domains: {a.com: {policy: {history-refreshes: true}}}',
      '1:28: domains.a.com.policy.history-refreshes: is for the whole server, under "policy": all domains share one history',
    ],
    [
      'domains: {a.com: {policy: {strict: true}}}',
      '1:28: domains.a.com.policy.strict: unknown key, it stands under "parser"',
    ],
    [
      'domains: {a.com: {policy: {path: on}}}',
      '1:34: domains.a.com.policy.path: expected one of lazy, strict, off, got "on"',
    ],
    [
      'domains: {a.com: {policy: {min-expires: 2h, max-expires: 1h}}}',
      '1:41: domains.a.com.policy.min-expires: 7200 is above domains.a.com.policy.max-expires, which is 3600',
    ],
    [
      'domains: {a.com: {policy: {flow-timer: 2h}}}',
      '1:40: domains.a.com.policy.flow-timer: 7200 promises connections more time than connections.idle-seconds has, which is 3600',
    ],
  ])('says what is wrong in the rules of a domain: %s', (text, problem) => {
    expect(problems(text)).toEqual([`aorta.yaml:${problem}`]);
  });

  it('lets flags win, lists whole', () => {
    const config = load(
      'listen: udp:127.0.0.1:1\ndomains: a.com\npolicy: {min-expires: 100, expires-jitter: 5}',
      flags({ listen: ['udp:127.0.0.2:2'], shards: '2', policy: { 'min-expires': '200' } }),
    );
    expect(config.listen).toEqual([{ transport: 'udp', host: '127.0.0.2', port: 2 }]);
    expect(config.shards).toBe(2);
    expect(config.policy).toMatchObject({ domains: ['a.com'], minExpiresS: 200, expiresJitterPercent: 5 });
  });

  it('keeps minimum, default and maximum in order; what is not given moves', () => {
    const policy = (given: object) => createConfig([flags({ policy: given })]).policy;
    expect(policy({ 'max-expires': 600 })).toMatchObject({ minExpiresS: 60, defaultExpiresS: 600, maxExpiresS: 600 });
    expect(policy({ 'max-expires': 30 })).toMatchObject({ minExpiresS: 30, defaultExpiresS: 30, maxExpiresS: 30 });
    expect(policy({ 'min-expires': 9000 })).toMatchObject({
      minExpiresS: 9000,
      defaultExpiresS: 9000,
      maxExpiresS: 9000,
    });
    expect(policy({ 'default-expires': 10 })).toMatchObject({
      minExpiresS: 10,
      defaultExpiresS: 10,
      maxExpiresS: 7200,
    });
    expect(problems('policy: {default-expires: 50}', flags({ policy: { 'min-expires': 100 } }))).toEqual([
      '--min-expires: 100 is above policy.default-expires, which is 50',
    ]);
  });

  it('reads the section push, which is rules for REGISTER, too', () => {
    const said = (yaml: string) => problems(yaml).map((problem) => problem.replace(/^aorta\.yaml[\d:]*: /, ''));
    const webhook = 'webhook: {url: https://push.example.com/wake, secret-file: secret, providers: [webpush, acme]}';
    const { push, policy } = load(
      `push: {wait-ms: 5s, refresh-s: 0, dormant-s: 1d, other-services: refuse, ${webhook}}`,
    );
    expect(push).toMatchObject({
      waitMs: 5000,
      refreshS: 0,
      dormantS: 86_400,
      perSecond: 200,
      webhook: { providers: ['webpush', 'acme'] },
    });
    expect(policy.push).toEqual({
      services: ['webpush', 'acme'].map((name) => ({ name, needsParam: false, vapid: '' })),
      ...{ refreshS: 0, dormantS: 86_400, refusesOthers: true },
    });
    expect(said('push: {}')).toEqual(['push: needs apns, fcm or webhook']);
    expect(said(`push:\n  ${webhook}\npolicy: {max-expires: 200}`)).toEqual([
      'push.refresh-s: needs bindings of 240 s or more, and policy.max-expires is 200',
    ]);
    const fcm = 'fcm: {account-file: account}';
    expect(said(`push:\n  ${fcm}\n  ${webhook.replace('acme', 'fcm')}`)).toEqual([
      'push.webhook.providers: fcm is served by another section, too',
    ]);
    writeFileSync(join(directory, 'account'), '{"private_key": "secret"}');
    const started = () => createConfig([readConfigFile(file)], { files: true });
    writeFileSync(file, `push:\n  ${fcm}\n`);
    expect(started).toThrow(/push\.fcm\.account-file: .*account: no key of a service account \(JSON\)$/);
  });

  it('has clients authenticate as soon as one address can be reached from other machines', () => {
    const mode = (text: string, ...more: ConfigSource[]) => load(text, ...more).auth.mode;
    expect(mode('')).toBe('none');
    expect(mode("listen: ['udp:127.0.0.1:5060', 'udp:[::1]:5060']")).toBe('none');
    expect(mode("listen: ['udp:127.0.0.1:5060', 'udp:0.0.0.0:5060']")).toBe('digest');
    expect(mode("listen: 'udp:0.0.0.0:5060'\nallow-unauthenticated: true")).toBe('none');
    expect(mode("listen: 'udp:0.0.0.0:5060'\nauth: {qop: auth}")).toBe('digest');
    expect(mode('auth: digest')).toBe('digest');
    expect(mode('auth: {mode: none}', flags({ auth: { mode: 'digest' } }))).toBe('digest');
  });

  it('has clients authenticate where a provider has users, and refuses both that and nobody', () => {
    const provider = "provider: {http: {url: 'https://users.example.com/{user}'}}";
    expect(load(`auth: {${provider}}`).auth.mode).toBe('digest');
    expect(load(`auth: {${provider}}\nallow-unauthenticated: true`).auth.mode).toBe('digest');
    expect(() => load(`auth: {mode: none, ${provider}}`)).toThrow(
      /provider: nobody is asked for a password with mode none/,
    );
  });

  it('reads the section auth', () => {
    const { auth } = load(`
auth:
  mode: digest
  algorithms: [sha-512-256, MD5]
  qop: auth,auth-int
  legacy-without-qop: false
  nonce-lifetime-s: 86400
  nc-window: 1
  wrong-credentials: 403
  trusted-proxies: [192.0.2.0/24, '2001:db8::1']
  provider:
    http:
      url: http://127.0.0.1:8080/{realm}/{user}
      headers: {authorization: Bearer x}
      ttl-s: 60
`);
    expect(auth).toMatchObject({
      mode: 'digest',
      policy: {
        algorithms: ['SHA-512-256', 'MD5'],
        qop: 'auth,auth-int',
        legacyWithoutQop: false,
        nonceLifetimeMs: 86_400_000,
        nonceKeyMs: 86_400_000,
        ncWindow: 1,
        wrongCredentials: 403,
      },
      trustedProxies: ['192.0.2.0/24', '2001:db8::1'],
      provider: {
        http: {
          url: 'http://127.0.0.1:8080/{realm}/{user}',
          headers: { authorization: 'Bearer x' },
          limits: { ttlS: 60 },
        },
      },
    });
  });

  it.each([
    ['auth: {algorithms: [MD4]}', 'aorta.yaml:1:21: auth.algorithms: expected one of MD5, SHA-256'],
    ['auth: {algorithms: [MD5, md5]}', 'aorta.yaml:1:20: auth.algorithms: one is there twice'],
    ['auth: {nonce-lifetime-s: 100, nonce-key-s: 50}', 'aorta.yaml:1:44: auth.nonce-key-s: is shorter'],
    ['auth: {trusted-proxies: 192.0.2.0/33}', 'auth.trusted-proxies: expected an address or a prefix'],
    ['auth: {wrong-credentials: 402}', 'auth.wrong-credentials: expected 401 or 403, got 402'],
    ['auth: {algorithm: MD5}', 'auth.algorithm: unknown key, did you mean "algorithms"?'],
    ['auth: {provider: {http: {url: "ftp://x/{user}"}}}', 'auth.provider.http.url: expected an http or https URL'],
    ['auth: {provider: {http: {url: "http://x/"}}}', 'auth.provider.http.url: expected an http or https URL'],
    [
      'auth: {provider: {http: {url: "http://n:pw@x/{user}"}}}',
      'auth.provider.http.url: has a name or a password in it, with which no request is sent; put them into "headers"',
    ],
    ['auth: {provider: {http: {url: "http://{user}.x/"}}}', 'auth.provider.http.url: has a placeholder in its host'],
    [
      'auth: {mode: digest, tokens: {issuer: "https://x/", audience: y, jwks: "https://n:pw@x/jwks"}}',
      'auth.tokens.jwks: has a name or a password in it',
    ],
    [
      'auth: {mode: digest, tokens: {issuer: "https://x/", authz-server: "https://n@x/", audience: y, jwks: "https://x/"}}',
      'auth.tokens.authz-server: has a name or a password in it',
    ],
    ['auth: {provider: {http: {}}}', 'auth.provider.http.url: expected a text, got nothing'],
    ['auth: {provider: {sql: {}}}', 'auth.provider.sql.url: expected a text, got nothing'],
    [
      'auth: {provider: {sql: {url: "oracle://x@y/z"}}}',
      'auth.provider.sql.url: expected postgresql://user@host/database',
    ],
    [
      'auth: {provider: {sql: {url: "mysql://host/z"}}}',
      'auth.provider.sql.url: expected postgresql://user@host/database',
    ],
    ['auth: {provider: {sql: {url: "mysql://u@h/z?ssl=1"}}}', 'auth.provider.sql.url: knows no parameter "ssl"'],
    [
      'auth: {provider: {sql: {url: "mysql://u@h/z", query: "SELECT 1"}}}',
      'auth.provider.sql.query: expected a query with {user} in it',
    ],
    [
      `auth: {provider: {sql: {url: "mysql://u@h/z", query: "SELECT x FROM t WHERE u = '{user}'"}}}`,
      'auth.provider.sql.query: {user} stands in quotes',
    ],
    [
      'auth: {provider: {sql: {url: "mysql://u@h/z", query: "SELECT {usr}"}}}',
      'auth.provider.sql.query: knows no {usr}, did you mean "user"?',
    ],
    [
      'auth: {provider: {sql: {url: "mysql://u@h/z"}, http: {url: "http://x/{user}"}}}',
      'auth.provider: has both http and sql',
    ],
    ['auth: {mode: digest, tokens: {issuer: x, audience: y}}', 'auth.tokens.issuer: expected an https URL'],
    ['auth: {mode: digest, tokens: {issuer: "https://x/", audience: y}}', 'auth.tokens: needs jwks or introspection'],
    [
      'auth: {mode: digest, tokens: {issuer: "https://x/", audience: y, jwks: "http://x/jwks"}}',
      'auth.tokens.jwks: expected an https URL, or an http one on a loopback address',
    ],
    [
      'auth: {mode: digest, tokens: {issuer: "https://x/", audience: y, introspection: "https://x/i"}}',
      'auth.tokens.introspection: needs client-id and client-secret-file',
    ],
    ['websocket: {token-cookie: "a b"}', 'websocket.token-cookie: expected the name of a cookie'],
    ['websocket: {token-cookie: t}', 'websocket.token-cookie: needs auth.tokens'],
    [
      '{websocket: {token-cookie: t}, auth: {mode: digest, tokens: {issuer: "https://x/", audience: y, jwks: "https://x/"}}}',
      'websocket.token-cookie: needs websocket.origins without *',
    ],
    [
      'auth: {mode: none, tokens: {issuer: "https://x/", audience: y, jwks: "https://x/jwks"}}',
      'auth.tokens: nobody is asked for any with mode none',
    ],
    [
      'auth: {mode: digest, tokens: {issuer: "https://x/", audience: y, jwks: "https://x/", algorithms: [none]}}',
      'auth.tokens.algorithms: expected one of RS256',
    ],
  ])('says what is wrong in the section auth: %s', (text, problem) => {
    expect(problems(text)).toEqual([expect.stringContaining(problem)]);
  });

  it('shows no key that stands in a URL', () => {
    const shown = JSON.stringify(
      effectiveConfig(
        load(`auth: {mode: digest, tokens: {issuer: "https://x/", audience: y, jwks: "https://x/j?a=SECRET&b=SECRET#c"},
  provider: {http: {url: "http://x/u?key=SECRET&u={user}&r={realm}&x={user}SECRET"}}}
feed: {webhook: {url: "https://x/y?token=SECRET", secret: SECRETSECRET}}`),
      ),
    );
    expect(shown).not.toContain('SECRET');
    expect(shown).toContain('http://x/u?key=(hidden)&u={user}&r={realm}&x=(hidden)');
  });

  it('tells of a changed secret that it waits for a restart', () => {
    const file = (key: string, secret: string, header: string) => `auth: {provider: {http: {
  url: "http://x/{user}?key=${key}", headers: {authorization: "${header}"}}}}
feed: {webhook: {url: "https://x/", secret: ${secret}}}`;
    const before = load(file('old', 'old-secret', 'old'));
    const next = load(file('new', 'new-secret', 'new'));
    const keys = ['auth.provider.http.headers', 'auth.provider.http.url', 'feed.webhook.secret'];
    expect(reloadReport(before, afterReload(before, next), next)).toEqual({ applied: [], needRestart: keys });
    expect(reloadReport(before, before, load(file('old', 'old-secret', 'old'))).needRestart).toEqual([]);
  });

  it('refuses an address that others can reach, and one that stands twice', () => {
    for (const address of ['udp:0.0.0.0:5060', 'udp:192.0.2.1:5060', 'udp:[::]:5060', 'udp:[2001:db8::1]:5060']) {
      expect(problems(`listen: '${address}'\nauth: none`)).toEqual([
        expect.stringContaining('add allow-unauthenticated: true'),
      ]);
      expect(load(`listen: '${address}'\nallow-unauthenticated: true`).listen).toHaveLength(1);
    }
    for (const address of [
      'udp:127.255.0.9:5060',
      'udp:[::1]:5060',
      'udp:[0:0:0:0:0:0:0:1]:5060',
      'udp:[::ffff:127.0.0.1]:1',
    ]) {
      expect(problems(`listen: '${address}'\nauth: none`)).toEqual([]);
    }
    expect(problems('listen: [udp:127.0.0.1:5060, udp:127.0.0.1:5060]')).toEqual([
      'aorta.yaml:1:9: listen: udp:127.0.0.1:5060 is there twice',
    ]);
  });

  it('never fails otherwise than by a ConfigError', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json(), fc.stringMatching(/^[a-c:*&!{}[\],?|>\n -]{0,20}$/)), (yaml) => {
        problems(yaml);
      }),
      { numRuns: 400 },
    );
  });
});

describe('a listen address', () => {
  it.each([
    ['udp:127.0.0.1:5060', { transport: 'udp', host: '127.0.0.1', port: 5060 }],
    ['UDP:127.0.0.1:0', { transport: 'udp', host: '127.0.0.1', port: 0 }],
    ['tcp:[::1]:65535', { transport: 'tcp', host: '::1', port: 65535 }],
  ])('is read: %s', (text, address) => {
    expect(parseListenAddress(text)).toEqual(address);
  });

  it.each([
    ['127.0.0.1:5060', 'expected udp:HOST:PORT'],
    ['udp:127.0.0.1', 'expected udp:HOST:PORT'],
    ['udp:::1:5060', 'expected udp:HOST:PORT'],
    ['udp:127.0.0.1:99999', 'port 99999 is above 65535'],
    ['udp:localhost:5060', '"localhost" is not an IP address'],
    ['udp:*:5060', 'every IPv4 address of the machine is 0.0.0.0'],
    ['udp:[127.0.0.1]:5060', 'is not an IP address'],
    ['udp:[fe80::1%eth0]:5060', 'is not an IP address'],
    ['sctp:127.0.0.1:5060', 'unknown transport "sctp"'],
  ])('is refused: %s', (text, reason) => {
    expect(() => parseListenAddress(text)).toThrow(reason);
  });
});
