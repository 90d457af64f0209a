// `aorta ul …` and its neighbours as processes, against a running server: what they print, and the codes they exit with.

import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { translateSpelling } from '../../src/commands/ul/ul-command.ts';
import { DEFAULT_CONFIG } from '../../src/server/config/config.ts';
import { readConfigFile } from '../../src/server/config/config-file.ts';
import { type ConfigSource, spellAsFile } from '../../src/server/config/config-problem.ts';
import { createConfig } from '../../src/server/config/create-config.ts';
import { effectiveConfig } from '../../src/server/config/effective-config.ts';
import { type AdminFixture, startAdmin } from '../support/admin-server.ts';
import { CLI, removeDirectories, temporaryDirectory } from '../support/aorta-process.ts';
import { selfSigned } from '../support/certificate.ts';
import { freePort } from '../support/free-ports.ts';
import type { SipClient } from '../support/sip-client.ts';

let admin: AdminFixture;
let phone: SipClient;

beforeAll(async () => {
  admin = await startAdmin({ admin: { listen: { scheme: 'http', host: '127.0.0.1', port: 0 }, requireToken: true } });
  phone = await admin.client();
});
afterAll(async () => {
  await admin.stop();
  removeDirectories();
});

interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function aorta(...args: string[]): Promise<Ran> {
  return new Promise((resolve) => {
    execFile(process.execPath, [CLI, ...args], (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });
}

const sourceOf = (values: Record<string, unknown>): ConfigSource => ({
  values,
  where: (path) => ({ name: path.join('.'), order: 0 }),
  spell: spellAsFile,
});

/** With the server's data directory, which knows its URL and token. */
const onServer = (...args: string[]) => aorta(...args, '--data', admin.config.data);

describe('aorta ul', () => {
  it('adds, looks up, dumps and removes, in the words of either peer', async () => {
    await phone.request(phone.register({ aor: 'alice@example.com', contacts: ['<sip:alice@127.0.0.1:5070>;q=0.7'] }));
    const found = await onServer('ul', 'lookup', 'alice@example.com');
    expect(found.stdout).toMatch(/^alice@example\.com\ncontact +q +expires/);
    expect(found.stdout).toMatch(/sip:alice@127\.0\.0\.1:5070 +0\.7 +[0-9]+s +udp:127\.0\.0\.1:/);
    const history = await onServer('ul', 'history', 'alice@example.com');
    expect(history.stdout).toMatch(/^alice@example\.com\nat +change +contact +by/);
    expect(history.stdout).toMatch(
      /Z +registered +sip:alice@127\.0\.0\.1:5070 +client +udp:127\.0\.0\.1:[0-9]+ +\S+ 1/,
    );
    const added = await onServer('ul.add', 'location', 'bob@example.com', 'sip:bob@192.0.2.7', '900', '0.5', '--json');
    expect(JSON.parse(added.stdout)).toMatchObject({ aor: 'bob@example.com', contacts: [{ q: 0.5 }] });
    const edge = '<sip:edge.example.com;lr>';
    const withPath = await onServer(
      'ul.add',
      'location',
      'gw@example.com',
      'sip:gw@192.0.2.8',
      '500',
      '0.3',
      edge,
      '0',
      '0',
      '0',
      '--json',
    );
    expect(JSON.parse(withPath.stdout)).toMatchObject({ contacts: [{ path: [edge] }] });
    const [{ expires }] = (JSON.parse(withPath.stdout) as { contacts: { expires: number }[] }).contacts;
    expect(expires, 'as asked for, without what phones get off it').toBeGreaterThan(497);
    expect((await onServer('ul', 'add', 'gw@example.com', 'sip:gw@192.0.2.8', '500', '0.3', 'nonsense')).code).toBe(2);
    expect((await onServer('ul.dump', 'brief')).stdout).toContain('gw@example.com\n  sip:gw@192.0.2.8\n');
    expect((await onServer('ul.dump', 'long')).code).toBe(2);
    expect((await onServer('ul.db_users', 'location')).stdout).toMatch(/^aors +3$/m);
    expect((await onServer('ul', 'rm', 'gw@example.com')).code).toBe(0);
    const dumped = await onServer('ul_dump', '--json');
    const aors = dumped.stdout
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { aor: string }).aor);
    expect(aors.sort()).toEqual(['alice@example.com', 'bob@example.com']);
    expect((await onServer('ul', 'rm-contact', 'bob@example.com', 'sip:bob@192.0.2.7')).code).toBe(0);
    expect((await onServer('ul', 'history', 'bob@example.com')).stdout).toMatch(
      /Z +removed +sip:bob@192\.0\.2\.7 +operator, aorta-[0-9.]+ +http:127\.0\.0\.1:[0-9]+ /,
    );
    expect(await onServer('ul', 'rm', 'bob@example.com')).toMatchObject({
      code: 1,
      stderr: 'aorta: bob@example.com has no bindings\n',
    });
  });

  it('prints nothing that a terminal obeys, and takes an address as it is shown', async () => {
    const codes = '%1b]0;x%07%1b[2J%1b[31m';
    const odd = {
      to: `<sip:${codes}x@example.com>`,
      from: '<sip:a@example.com>;tag=1',
      contacts: ['<sip:odd@127.0.0.1:1>'],
    };
    const agents = ['\u009b31mred', '\u202eevil', 'M\u00fcller'];
    for (const [i, agent] of agents.entries()) {
      const headers = [`User-Agent: ${Buffer.from(agent).toString('latin1')}`];
      await phone.request(
        phone.register({ ...odd, callId: `odd-${i}`, contacts: [`<sip:odd-${i}@127.0.0.1:1>`], headers }),
      );
    }
    const shown = '%1B]0;x%07%1B[2J%1B[31mx@example.com';
    await onServer('trace', 'on', shown, '--seconds', '5');
    const commands = [
      ['ul', 'dump'],
      ['ul', 'dump', 'brief'],
      ['ul', 'dump', '--json'],
      ['ul', 'lookup', shown],
      ['ul', 'lookup', `sip:${shown}`, '--json'],
      ['ul', 'history', shown],
      ['top', '--count', '1', '--interval', '0.3'],
      ['top', '--count', '1', '--interval', '0.3', '--json'],
      ['trace', 'ls'],
      ['ul', 'lookup', '\u001b[2J\u202e@elsewhere.example'],
      ['location', 'export', '--format', 'csv'],
    ];
    for (const command of commands) {
      const { stdout, stderr } = await onServer(...command);
      expect(stdout + stderr, command.join(' ')).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e]/);
      if (command[0] === 'ul' && command.at(-1) !== '\u001b[2J\u202e@elsewhere.example')
        expect(stdout).toContain(shown);
    }
    const found = await onServer('ul', 'lookup', shown);
    expect(found.stdout).toContain('\\u009b31mred');
    expect(found.stdout).toContain('\\u202eevil');
    expect(found.stdout).toContain('M\u00fcller');
    expect((await onServer('ul', 'rm', shown)).code).toBe(0);
    expect((await onServer('ul', 'dump', 'brief')).stdout).not.toContain(shown);
    await onServer('trace', 'off', shown);
  });

  it('says what to do where there is no server, or no token', async () => {
    const nowhere = await aorta('ul', 'dump', '--admin', 'http://127.0.0.1:9');
    expect([nowhere.code, nowhere.stderr]).toEqual([1, expect.stringMatching(/cannot reach .*--admin http:HOST/)]);
    const bare = await aorta('ul', 'dump', '--admin', admin.url, '--data', '/nonexistent');
    expect([bare.code, bare.stderr]).toEqual([1, expect.stringContaining('--token-file')]);
    expect((await onServer('ul', 'add', 'a@example.com', 'sip:x@192.0.2.1', '--expires', 'soon')).code).toBe(2);
  });

  it.each([
    [['ul.dump'], ['ul', 'dump']],
    [
      ['ul_show_contact', 'location', 'a@b'],
      ['ul', 'lookup', 'a@b'],
    ],
    [
      ['usrloc:rm_contact', 'location', 'a@b', 'sip:c'],
      ['ul', 'rm-contact', 'a@b', 'sip:c'],
    ],
    [
      ['ul', 'rm_contact', 'a@b', 'sip:c'],
      ['ul', 'rm-contact', 'a@b', 'sip:c'],
    ],
    [
      ['serve', '--data', 'x'],
      ['serve', '--data', 'x'],
    ],
  ])('takes %j for %j', (typed, meant) => {
    expect(translateSpelling(typed)).toEqual(meant);
  });
});

describe('aorta check and config', () => {
  it('name line and column of a mistake, and exit with 2', async () => {
    const file = join(temporaryDirectory(), 'aorta.yaml');
    writeFileSync(file, 'policy:\n  min-expires: soon\n');
    const wrong = await aorta('check', file);
    expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining(`${file}:2:16: policy.min-expires`)]);
    writeFileSync(file, 'policy:\n  min-expires: 120\n');
    expect(await aorta('check', file)).toMatchObject({ code: 0, stdout: `${file}: fine\n` });
    writeFileSync(
      file,
      'udp: auto\ntls:\n  cert: no.pem\n  key: no.key\nauth:\n  provider: {http: {headers: {x: }}}\n  mode-x: x\n',
    );
    const faulty = await aorta('check', file);
    expect(faulty.stderr.replaceAll(dirname(file), '.')).toBe(
      'aorta: ./aorta.yaml:6:20: auth.provider.http.url: expected a text, got nothing\n' + // its line may hold a secret
        'aorta: ./aorta.yaml:6:34: auth.provider.http.headers.x: expected a text, got nothing\n' +
        'aorta: ./aorta.yaml:7:3: auth.mode-x: unknown key, did you mean "mode"?\n   7 |   mode-x: x\n         ^\n',
    );
    writeFileSync(file, 'tls:\n  cert: no.pem\n  key: no.key\n');
    expect((await aorta('check', file)).stderr.replaceAll(dirname(file), '.')).toBe(
      'aorta: ./aorta.yaml:2:9: tls.cert: ./no.pem: no such file\n   2 |   cert: no.pem\n               ^\n' +
        'aorta: ./aorta.yaml:3:8: tls.key: ./no.key: no such file\n   3 |   key: no.key\n              ^\n',
    );
    writeFileSync(join(dirname(file), 'empty'), '\n');
    writeFileSync(
      file,
      'auth:\n  provider:\n    sql:\n      url: mysql://aorta@127.0.0.1/kamailio\n      password-file: no-password\n      ca: empty\n' +
        '  tokens:\n    issuer: https://login.example.com/\n    audience: x\n    client-id: aorta\n' +
        '    introspection: https://login.example.com/x\n    client-secret-file: empty\n',
    );
    expect((await aorta('check', file)).stderr.replaceAll(dirname(file), '.')).toBe(
      'aorta: ./aorta.yaml:5:22: auth.provider.sql.password-file: ./no-password: no such file\n' +
        'aorta: ./aorta.yaml:6:11: auth.provider.sql.ca: ./empty: no PEM that can be read\n   6 |       ca: empty\n                 ^\n' +
        'aorta: ./aorta.yaml:12:25: auth.tokens.client-secret-file: ./empty: empty\n',
    );
    writeFileSync(file, 'policy:\n  min-expires: 2m\n');
    expect((await aorta('config', file, '--effective')).stdout).toContain('min-expires: 120');
    expect((await onServer('config')).stdout).toContain(`data: ${admin.config.data}`);
  });

  it('give a configuration that means the same when it is read again', () => {
    const source = sourceOf(effectiveConfig(DEFAULT_CONFIG));
    expect(effectiveConfig(createConfig([source]))).toEqual(effectiveConfig(DEFAULT_CONFIG));
  });
});

describe('a configuration in which every key is set', () => {
  const values = {
    listen: ['udp:127.0.0.1:5070', 'tls:127.0.0.1:5071'],
    domains: ['example.com'],
    'service-route': { 'example.com': ['<sip:edge.example.com;lr>'] },
    'associated-uris': { 'example.com': ['<tel:+4912345>'] },
    data: '/var/lib/aorta',
    shards: 3,
    durability: 'process',
    udp: 'dgram',
    'log-level': 'warn',
    'allow-unauthenticated': true,
    multicast: { interface: '127.0.0.1', group: '224.0.1.76', port: 5090 },
    admin: { listen: 'http://127.0.0.1:8060', 'require-token': true },
    lookup: { sip: 'anyone', from: ['192.0.2.0/24'], http: ['http:127.0.0.1:8061'] },
    websocket: { origins: ['https://phone.example.com'], 'idle-seconds': 60, 'trusted-proxies': ['192.0.2.1/32'] },
    connections: { max: 7, 'per-source': 6, 'idle-seconds': 50, 'message-seconds': 4, 'unsent-bytes': 70_000 },
    tls: { cert: 'a.pem', key: 'a.key', ca: 'ca.pem', 'client-certificates': 'optional', 'min-version': '1.3' },
    hep: { to: '192.0.2.9:9061', sample: 5, 'capture-id': 7 },
    parser: { strict: ['parameter-values'] },
    policy: {
      ...{ 'default-expires': 301, 'min-expires': 61, 'max-expires': 901, 'expires-jitter': 3, 'contacts-per-aor': 4 },
      ...{ 'overload-target-ms': 99, 'retry-after-max': 88, 'contacts-overflow': 'reject', 'flow-grace': 5 },
      'connection-bindings': 'contact',
      ...{ path: 'strict', outbound: 'required', 'flow-timer': 33, gruu: 'off', 'gruu-generation': 2, warning: true },
      'history-refreshes': true,
      'force-rport': true,
    },
    limits: {
      ...{ 'aor-bytes': 200, 'contact-bytes': 900, 'path-bytes': 800, 'call-id-bytes': 100, 'message-bytes': 9000 },
      ...{
        'timer-j-ms': 9000,
        transactions: 4096,
        'answer-bytes': 1 << 26,
        'history-bytes': 4096,
        'checkpoint-bytes': 1 << 20,
      },
    },
  };

  /** `policy.path` → its value. */
  function leaves(of: object, prefix = ''): [string, unknown][] {
    return Object.entries(of).flatMap(([key, value]) =>
      typeof value === 'object' && value !== null && !Array.isArray(value)
        ? leaves(value, `${prefix}${key}.`)
        : [[prefix + key, value] as [string, unknown]],
    );
  }

  it('is shown as it stands, so that a reload sees each change', () => {
    const source = sourceOf(values);
    const shown = new Map(leaves(effectiveConfig(createConfig([source]))));
    for (const [key, value] of leaves(values)) expect(shown.get(key), key).toEqual(value);
  });
});

/** Of 2020, for a day. */
const EXPIRED = `-----BEGIN CERTIFICATE-----
MIIBAjCBqgIBATAKBggqhkjOPQQDAjAOMQwwCgYDVQQDDANvbGQwHhcNMjAwMTAx
MDAwMDAwWhcNMjAwMTAyMDAwMDAwWjAOMQwwCgYDVQQDDANvbGQwWTATBgcqhkjO
PQIBBggqhkjOPQMBBwNCAATO6QOXnk+jwnuNdvoGi0u/dR1pWiKgw4IIDBZgsvkT
eD8arKV9tmEV/XcDeS+gim8d46xMHlNHPmTCGOYXVWpHMAoGCCqGSM49BAMCA0cA
MEQCICpXE62V/IJjj8WZu+UORlIGtL0/zHg+JEuz7Fdzxfg3AiASmT+UVcxYqCVT
wDsDImUZ3uNNAKPi4PQvkuDj8g3EZw==
-----END CERTIFICATE-----
`;

describe('over TLS', () => {
  it('the verbs say what to do about a certificate they do not trust, and work with it; its files lie beside the configuration', async () => {
    const { certFile } = selfSigned();
    const file = join(dirname(certFile), 'aorta.yaml');
    const port = await freePort();
    const data = temporaryDirectory();
    writeFileSync(
      file,
      `listen: [udp:127.0.0.1:0]\nadmin: {listen: "https:127.0.0.1:${port}", certificate: cert.pem, key: key.pem}\n`,
    );
    const config = createConfig([readConfigFile(file), sourceOf({ data })]);
    const other = await startAdmin({ ...config, data, listen: [{ transport: 'udp', host: '127.0.0.1', port: 0 }] });
    const url = `https://127.0.0.1:${port}`;
    const distrusted = await aorta('ul', 'stats', '--admin', url, '--data', data);
    expect([distrusted.code, distrusted.stderr]).toEqual([1, expect.stringContaining('NODE_EXTRA_CA_CERTS=FILE')]);
    process.env.NODE_EXTRA_CA_CERTS = certFile;
    const trusted = await aorta('ul', 'stats', '--admin', url, '--data', data);
    delete process.env.NODE_EXTRA_CA_CERTS;
    expect([trusted.code, trusted.stdout]).toEqual([0, expect.stringContaining('bindings')]);
    await other.stop();
  });
});

describe('aorta top, doctor and completion', () => {
  it('look at a server and a machine', async () => {
    const sending = setInterval(() => phone.send(phone.register()), 100); // senders of long ago are not listed
    const top = await onServer('top', '--count', '1', '--interval', '0.2');
    clearInterval(sending);
    expect(top.stdout).toMatch(/1 bindings {2}1 AORs/);
    expect(top.stdout).toMatch(/source +messages\/s, about +refused\/s\n127\.0\.0\.1 /);
    const doctor = await aorta('doctor', '--data', admin.config.data, '--json');
    const findings = JSON.parse(doctor.stdout) as { what: string; verdict: string }[];
    expect(findings.find(({ what }) => what === 'data directory')).toMatchObject({ verdict: 'ok' });
    expect(findings.find(({ what }) => what === 'configuration')).toMatchObject({
      detail: expect.stringContaining('--config FILE looks at certificates'),
    });
  });

  it('find certificates that are not there, do not fit or have run out, and too few descriptors', async () => {
    const good = selfSigned();
    const directory = dirname(good.certFile);
    writeFileSync(join(directory, 'old.pem'), EXPIRED);
    const file = join(directory, 'doctor.yaml');
    const look = async (tls: string, more = ''): Promise<Record<string, [string, string]>> => {
      writeFileSync(file, `listen: [tls:127.0.0.1:5061]\ntls: ${tls}\n${more}`);
      const { stdout } = await aorta('doctor', '--config', file, '--data', admin.config.data, '--json');
      const findings = JSON.parse(stdout) as { what: string; verdict: string; detail: string }[];
      return Object.fromEntries(findings.map(({ what, verdict, detail }) => [what, [verdict, detail]]));
    };
    const own = `cert: ${good.certFile}, key: ${good.keyFile}`;
    const sound = await look(`{${own}}`);
    expect([sound.certificate[0], sound.configuration]).toEqual(['ok', undefined]);
    const found = await look(
      `{cert: none.pem, key: none.key, ca: old.pem, domains: {a.example: {cert: ${good.certFile}, key: ${selfSigned().keyFile}}}}`,
      'connections: {max: 4000000}\nadmin: {listen: "https:127.0.0.1:0", certificate: old.pem, key: key.pem}\n',
    );
    expect(found.certificate).toEqual(['bad', expect.stringMatching(/none\.pem: no such file$/)]);
    expect(found['certificate for a.example']).toEqual(['bad', expect.stringContaining('is not the key of')]);
    expect(found['CA of clients']).toEqual(['bad', expect.stringContaining('expired')]);
    expect(found['admin certificate']).toEqual(['bad', expect.stringContaining('expired')]);
    expect(found['file descriptors']).toEqual(['warn', expect.stringContaining('4000000 connections')]);
    expect((await look(`{${own}}`, 'connections: {max: 10}\n'))['file descriptors'][0]).toBe('ok');
    writeFileSync(file, 'connections: {max: none}\n');
    const refused = await aorta('doctor', '--config', file);
    expect([refused.code, refused.stderr]).toEqual([
      2,
      expect.stringContaining('doctor.yaml:1:20: connections.max: expected'),
    ]);
  });

  it('ask those who are asked about users whether they answer', async () => {
    const asked: string[] = [];
    const service = createServer((request, response) => {
      const { pathname } = new URL(request.url ?? '', 'http://x');
      asked.push(request.url ?? '');
      if (pathname === '/keys') return void response.end('{"keys": []}');
      response.writeHead(pathname === '/users' ? 404 : 500).end();
    });
    await new Promise<void>((resolve) => service.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(service.address() as AddressInfo).port}`;
    const directory = temporaryDirectory();
    const [file, secret] = [join(directory, 'doctor.yaml'), join(directory, 'secret')];
    writeFileSync(secret, 'x\n');
    const look = async (auth: object) => {
      writeFileSync(file, JSON.stringify({ domains: ['example.com'], auth }));
      const { code, stdout } = await aorta('doctor', '--config', file, '--data', admin.config.data, '--json');
      const findings = JSON.parse(stdout) as { what: string; verdict: string; detail: string }[];
      return [code, Object.fromEntries(findings.map(({ what, verdict, detail }) => [what, [verdict, detail]]))];
    };
    const http = (path: string) => ({ http: { url: `${url}/${path}?user={user}&realm={realm}` } });
    const [issuer, audience] = ['https://login.example.com/', 'sip.example.com'];
    const [fine, all] = await look({
      provider: http('users'),
      tokens: {
        ...{ issuer, audience, jwks: `${url}/keys`, introspection: `${url}/introspect` },
        ...{ 'client-id': 'aorta', 'client-secret-file': secret },
      },
    });
    expect(fine).toBe(1);
    expect(all).toMatchObject({
      'user service': ['ok', expect.stringMatching(/^answers in [0-9]+ ms$/)],
      'keys of tokens': ['ok', expect.stringMatching(/^answers/)],
      'issuer of tokens': ['bad', 'status 500'],
    });
    expect(asked.sort()).toEqual(['/introspect', '/keys', '/users?user=aorta-doctor&realm=example.com']);
    expect(await look({ provider: http('broken') })).toMatchObject([1, { 'user service': ['bad', 'status 500'] }]);
    await new Promise((resolve) => service.close(resolve));
    const gone = await look({ provider: http('users') });
    expect(gone).toMatchObject([1, { 'user service': ['bad', expect.stringContaining('ECONNREFUSED')] }]);
    const sql = { sql: { url: 'postgresql://aorta@127.0.0.1:1/kamailio', 'password-file': secret } };
    expect(await look({ provider: sql })).toMatchObject([
      1,
      { 'user database': ['bad', expect.stringContaining('ECONNREFUSED')] },
    ]);
  });

  it('complete the verbs that there are', async () => {
    const { stdout } = await aorta('completion', 'bash');
    expect(stdout).toMatch(/'ul'\) list='dump lookup history add rm rm-contact/);
    expect((await aorta('completion', 'tcsh')).code).toBe(2);
  });
});
