// Parameters of authentication, TLS, connections and the core.

import { amount, choice, type ForeignParameter, file, number, type Settings } from './parameter.ts';

export const SQL_PASSWORD_FILE = './sql-password';

export const AUTH: readonly ForeignParameter[] = [
  {
    names: ['auth.nonce_expire'],
    key: 'auth.nonce-lifetime-s',
    set: amount('auth.nonce-lifetime-s', 10, 86_400),
    says: 'How long a nonce may be used.',
  },
  {
    names: ['auth.algorithm'],
    key: 'auth.algorithms',
    set: choice('auth.algorithms', { '': ['MD5'], md5: ['MD5'], 'sha-256': ['SHA-256'] }),
    says: 'Digest algorithms, the preferred one first.',
  },
  {
    names: ['auth.qop'],
    key: 'auth.qop',
    set: choice('auth.qop', { auth: 'auth', 'auth-int': 'auth,auth-int' }),
    says: 'The protection that challenges offer.',
  },
  {
    names: ['auth.secret', 'auth.nonce_count', 'auth.one_time_nonce', 'auth.nc_array_size', 'auth.nid_pool_no'],
    says: 'Keys of nonces are made and changed by themselves, and nonce counts are always checked.',
  },
  {
    names: ['auth_db.db_url'],
    key: 'auth.provider.sql.url',
    set: sqlUrl,
    says: 'Users stay in the table `subscriber`; or `aorta user import` takes them over. The password stands in a file.',
  },
  {
    names: ['auth_db.calculate_ha1', 'auth_db.user_column', 'auth_db.password_column', 'auth_db.password_column_2'],
    key: 'auth.provider.sql.query',
    says: 'Columns are known by their names: `ha1`, `ha1b`, `ha1_sha256`, `password`; a query renames others.',
  },
  {
    names: ['auth_db.use_domain', 'auth_db.load_credentials'],
    key: 'auth.provider.sql.query',
    says: 'The query asks for name and domain; one without `{realm}` asks for the name alone.',
  },
  {
    names: ['pike.sampling_time_unit', 'pike.reqs_density_per_unit', 'pike.remove_latency'],
    key: 'abuse',
    says: 'Sources are limited by their failures, not by their rate, so that proxies and NATs are served.',
  },
];

export const TRANSPORTS: readonly ForeignParameter[] = [
  {
    names: ['tls.certificate', 'tls_mgm.certificate'],
    key: 'tls.cert',
    set: file('tls.cert'),
    says: 'The certificate of listeners with TLS; `tls.domains` has those of single domains.',
  },
  {
    names: ['tls.config'],
    key: 'tls',
    says: 'The file is read, too: its part `server:default` as `tls`, parts with a `server_name` as `tls.domains`.',
  },
  {
    names: ['tls.private_key', 'tls_mgm.private_key'],
    key: 'tls.key',
    set: file('tls.key'),
    says: 'Its private key.',
  },
  {
    names: ['tls.ca_list', 'tls_mgm.ca_list'],
    key: 'tls.ca',
    set: file('tls.ca'),
    says: 'Authorities of client certificates.',
  },
  {
    names: ['tls.require_certificate', 'tls_mgm.require_cert', 'tls.verify_certificate', 'tls_mgm.verify_cert'],
    key: 'tls.client-certificates',
    says: '`required` or `optional`; clients show certificates where `tls.ca` is set.',
  },
  {
    names: ['tls.tls_method', 'tls_mgm.tls_method'],
    key: 'tls.min-version',
    set: (text) => ({ 'tls.min-version': /1[._]3/.test(text) ? '1.3' : '1.2' }),
    says: 'Versions below 1.2 are always refused.',
  },
  {
    names: ['websocket.keepalive_timeout'],
    key: 'websocket.idle-seconds',
    set: amount('websocket.idle-seconds', 8, 960),
    says: 'A silent WebSocket is closed after this time.',
  },
  {
    names: ['tcp_max_connections', 'tls_max_connections'],
    key: 'connections.max',
    set: amount('connections.max', 1, 4_000_000),
    says: 'Connections that stand at once.',
  },
  {
    names: ['tcp_connection_lifetime'],
    key: 'connections.idle-seconds',
    set: amount('connections.idle-seconds', 1, 86_400),
    says: 'A connection is closed after this time of silence.',
  },
  {
    names: ['listen', 'socket'],
    key: 'listen',
    set: listener,
    says: 'One entry a transport; WebSockets have listeners of their own, `ws:` and `wss:`. An `advertise` becomes one of `server-names`.',
  },
  {
    names: ['alias'],
    key: 'domains',
    set: (text) => ({ domains: [text.replace(/^(udp|tcp|tls):/, '').replace(/:\d+$/, '')] }),
    says: 'The domains whose users are served.',
  },
  {
    names: ['advertised_address'],
    key: 'server-names',
    set: (text) => ({ 'server-names': [text] }),
    says: 'A public address or name of this server in a Request-URI.',
  },
  {
    names: ['force_rport'],
    key: 'policy.force-rport',
    set: choice('policy.force-rport', { yes: true, on: true, true: true, 1: true }),
    says: 'Answers over UDP go to the port that a request came from, also without `rport`.',
  },
  {
    names: ['port'],
    key: 'listen',
    says: 'Each entry has its port.',
  },
  {
    names: ['children', 'tcp_children', 'udp_workers', 'tcp_workers', 'async_workers'],
    key: 'shards',
    says: 'There is one thread a core without a setting.',
  },
  {
    names: ['debug'],
    key: 'log-level',
    set: logLevel(0, 3),
    says: 'Events, none per message.',
  },
  {
    names: ['log_level'],
    key: 'log-level',
    set: logLevel(1, 4),
    says: 'Events, none per message. OpenSIPS has this name, and counts from 1 for warnings to 4 for debugging.',
  },
  {
    names: [
      'user_agent_header',
      'server_header',
      'server_signature',
      'mhomed',
      'auto_aliases',
      'disable_tcp',
      'enable_tls',
    ],
    says: 'Nothing has to be set.',
  },
];

/** `tls:192.0.2.1:5061 advertise …`; undefined for interfaces and names, which are no addresses. */
function listener(text: string): Settings | undefined {
  const [, scheme, host, port] =
    /^(?:(udp|tcp|tls|ws|wss):)?(\[[0-9a-f:.]+\]|[0-9.]+)(?::(\d+))?(?:\s|$)/i.exec(text.trim()) ?? [];
  if (host === undefined) return undefined;
  const transports = scheme === undefined ? ['udp', 'tcp'] : [scheme.toLowerCase()];
  const [, advertised] = /\s(?:advertise|as)\s+(?:\w+:(?=[^:]*[:]?\d*$))?(\[[^\]]+\]|[^\s:;]+)/i.exec(text) ?? [];
  return {
    listen: transports.map((transport) => `${transport}:${host}:${port ?? (/tls|wss/.test(transport) ? 5061 : 5060)}`),
    ...(advertised !== undefined && { 'server-names': [advertised] }),
  };
}

/** Other registrars' levels; they log events where Aorta has `info`. */
function logLevel(warnings: number, debugging: number) {
  return (text: string): Settings | undefined => {
    const level = number(text);
    if (level === undefined) return undefined;
    if (level >= debugging) return { 'log-level': 'debug' };
    return { 'log-level': level < warnings ? 'error' : level === warnings ? 'warn' : 'info' };
  };
}

/** The database without its password, which should not be in a configuration file. */
function sqlUrl(text: string): Settings | undefined {
  const [, scheme, user, password, place] =
    /^(mysql|postgres(?:ql)?):\/\/(?:([^:@/]+)(?::([^@]*))?@)?(.+)$/.exec(text) ?? [];
  if (place === undefined) return undefined;
  const url = `${scheme === 'mysql' ? 'mysql' : 'postgresql'}://${user === undefined ? '' : `${user}@`}${place}`;
  return {
    'auth.mode': 'digest',
    'auth.provider.sql.url': url,
    ...(password !== undefined && { 'auth.provider.sql.password-file': SQL_PASSWORD_FILE }),
  };
}
