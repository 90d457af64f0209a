// `aorta translate`: parameters of others as a configuration that Aorta takes, and the table of them in the documents.

import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { FOREIGN_PARAMETERS } from '../../src/commands/translate/foreign-parameters.ts';
import { readConfigFile } from '../../src/server/config/config-file.ts';
import { spellAsFile } from '../../src/server/config/config-problem.ts';
import { createConfig } from '../../src/server/config/create-config.ts';
import { effectiveConfig } from '../../src/server/config/effective-config.ts';
import { CLI, removeDirectories, temporaryDirectory } from '../support/aorta-process.ts';

afterAll(removeDirectories);

const KAMAILIO = `#!KAMAILIO
#!define WITH_AUTH
#!define EXPIRES 1800
#!substdef "!MY_IP!192.0.2.20!g"
# listen=udp:192.0.2.99:5060
/* modparam("registrar", "max_expires", 1) */
listen=udp:MY_IP:5060 advertise 198.51.100.1:5060
listen=tls:MY_IP:5061
alias="example.com"
alias=example.net:5060
children=8
loadmodule "registrar.so"
modparam("registrar", "max_expires", EXPIRES)
modparam("registrar|usrloc", "min_expires", 120)
modparam("registrar", "max_contacts", 5) # per AOR
modparam("usrloc", "db_url", "mysql://kamailio:secret@db/kamailio")
modparam("usrloc", "db_mode", 2)
modparam("registrar", "something_new", 1)
#!ifdef WITH_AUTH
modparam("auth_db", "db_url", "mysql://kamailio:secret@db.example.com/kamailio")
#!else
modparam("registrar", "min_expires", 1)
#!endif
modparam("dialog", "profiles_with_value", "x")
modparam("tls", "certificate", "/etc/kamailio/cert.pem")
modparam("tls", "private_key", "/etc/kamailio/key.pem")
import_file "kamailio-local.cfg"
request_route {
  $var(x) = 1;
  children=99;
}
`;

const NO_FILE = { where: (path: readonly PropertyKey[]) => ({ name: path.join('.'), order: 0 }), spell: spellAsFile };

function translate(text: string): { file: string; said: string } {
  const folder = temporaryDirectory();
  const [from, file] = [join(folder, 'kamailio.cfg'), join(folder, 'aorta.yaml')];
  writeFileSync(from, text);
  const { stdout, stderr, status } = spawnSync(process.execPath, [CLI, 'translate', from], { encoding: 'utf8' });
  expect([status, stderr]).toEqual([0, '']);
  writeFileSync(file, stdout);
  return { file, said: stdout };
}

it('makes a configuration that is sound, without secrets, and says what became of each parameter', () => {
  const { file, said } = translate(KAMAILIO);
  const config = effectiveConfig(createConfig([readConfigFile(file)])) as Record<string, unknown>;
  expect(config).toMatchObject({
    domains: ['example.com', 'example.net'],
    durability: 'durable',
    listen: ['udp:192.0.2.20:5060', 'tls:192.0.2.20:5061'],
    policy: { 'max-expires': 1800, 'min-expires': 120, 'contacts-per-aor': 5, 'contacts-overflow': 'reject' },
  });
  expect(said).toContain('url: mysql://kamailio@db.example.com/kamailio');
  expect(said).toContain('password-file: ./sql-password');
  expect(said).not.toContain('secret');
  expect(said).toMatch(/^# {3}line 13: registrar\.max_expires → policy\.max-expires: /m);
  expect(said).toMatch(/^# {3}line 11: children \(shards\): /m);
  expect(said).toMatch(/^# {3}line 18: registrar\.something_new: not known here/m);
  expect(said).toMatch(/^# {3}line 27: kamailio-local\.cfg is not read/m);
  expect(said).toMatch(/^# Parameters of modules that a proxy keeps: dialog \(1\)$/m);
});

it('names what only the operator can write: domains, addresses, certificates, the file with the password', () => {
  const { file, said } = translate(
    '#!KAMAILIO\nloadmodule "auth.so"\nmodparam("registrar", "max_expires", 600)\nport=5070\n',
  );
  expect(said).toContain('#   domains: write the domains of your users instead of FILL-IN');
  expect(said).toContain('#   listen: no line names an address, which means all interfaces there, and 0.0.0.0 here');
  expect(said).toContain('  - udp:0.0.0.0:5070\n  - tcp:0.0.0.0:5070\n');
  expect(said).toContain('auth:\n  mode: digest\n');
  const check = spawnSync(process.execPath, [CLI, 'check', file], { encoding: 'utf8' });
  expect(check.status).toBe(2);
  expect(check.stderr).toMatch(/domains.*"FILL-IN" stands for a domain that you serve/);

  const whole = translate(KAMAILIO).said;
  expect(whole).toMatch(/^# {3}password file: \(umask 077; .* > \.\/sql-password\)$/m);
  expect(whole).toContain('certificate: the user of the service must be able to read /etc/kamailio/cert.pem');
  for (const line of [...said.split('\n'), ...whole.split('\n')]) expect(line.length).toBeLessThanOrEqual(120);
});

it('users of a database log in, on loopback addresses as well; none without a password beside them', () => {
  const { file } = translate(`listen=udp:127.0.0.1:5060
alias=example.com
modparam("auth_db", "db_url", "mysql://kamailio@db/kamailio")
`);
  expect(readFileSync(file, 'utf8')).toContain('auth:\n  mode: digest\n');
  const provider = { provider: { sql: { url: 'mysql://kamailio@db/kamailio' } } };
  const source = (auth: object) => ({ ...NO_FILE, values: { listen: ['udp:127.0.0.1:5060'], auth } });
  expect(createConfig([source(provider)]).auth.mode).toBe('digest');
  expect(() => createConfig([source({ mode: 'none', ...provider })])).toThrow(
    'auth.provider: nobody is asked for a password with mode none',
  );
});

it('Kamailio’s tls.cfg is read; pings and levels of the log keep their meaning', () => {
  const folder = temporaryDirectory();
  writeFileSync(
    join(folder, 'tls.cfg'),
    `[server:default]
method = TLSv1.2+ # of all
certificate = /etc/k/cert.pem
private_key = /etc/k/key.pem
[server:192.0.2.20:5061]
server_name = sip.example.net
certificate = /etc/k/net.pem
private_key = /etc/k/net-key.pem
[client:default]
certificate = /etc/k/client.pem
`,
  );
  const { file, said } = translate(`debug=3
listen=tls:192.0.2.20:5061 advertise sip.example.com:5061
alias=example.com
modparam("tls", "config", "${join(folder, 'tls.cfg')}")
modparam("nathelper", "natping_interval", 30)
`);
  expect(effectiveConfig(createConfig([readConfigFile(file)]))).toMatchObject({
    'log-level': 'debug',
    'server-names': ['sip.example.com'],
    tls: {
      cert: '/etc/k/cert.pem',
      key: '/etc/k/key.pem',
      domains: { 'sip.example.net': { cert: '/etc/k/net.pem', key: '/etc/k/net-key.pem' } },
    },
    policy: { ping: 'nat' },
    pings: { interval: 30 },
  });
  expect(said).not.toContain('client.pem');
  expect(translate('log_level=3\nmodparam("tls", "config", "/nowhere/tls.cfg")\n').said).toMatch(
    /included file: translate \/nowhere\/tls\.cfg by itself, too[\s\S]*^log-level: info$/m,
  );
});

it('says in words that a file is not there', () => {
  const { stdout, stderr, status } = spawnSync(process.execPath, [CLI, 'translate', 'absent.cfg'], {
    encoding: 'utf8',
  });
  expect([status, stdout, stderr]).toEqual([1, '', 'aorta: absent.cfg: no such file\n']);
});

it('takes OpenSIPS’s spellings', () => {
  const { file } = translate(`socket=udp:192.0.2.20:5060
socket=ws:192.0.2.20:8080
modparam("registrar", "default_expires", 600)
modparam("tls_mgm", "certificate", "[default]/etc/opensips/cert.pem")
`);
  expect(readFileSync(file, 'utf8')).toContain('cert: /etc/opensips/cert.pem');
  expect(readConfigFile(file)).toBeDefined();
});

it('docs/migration.md has a row for each parameter', () => {
  const text = readFileSync(join(import.meta.dirname, '../../docs/migration.md'), 'utf8');
  const rows = FOREIGN_PARAMETERS.map(
    ({ names, key, says }) =>
      `| ${names.map((name) => `\`${name}\``).join(', ')} | ${key ? `\`${key}\`` : ''} | ${says} |`,
  );
  const [, section] = text.split('\n## Parameters\n');
  const table = section.split('\n').filter((line) => /^\| `[a-z]/.test(line));
  expect(table).toEqual(rows);
});
