// Parameters of registrar and usrloc, and of the modules that keep contacts alive.

import { amount, choice, type ForeignParameter, number } from './parameter.ts';

const INT_MAX = 2_147_483_647;
/** Kamailio’s modes: none, all contacts, those behind NAT. */
const KEEP_ALIVES = ['off', 'all', 'nat'];

export const REGISTRAR: readonly ForeignParameter[] = [
  {
    names: ['registrar.default_expires'],
    key: 'policy.default-expires',
    set: amount('policy.default-expires', 1, INT_MAX),
    says: 'The interval of a registration that asks for none.',
  },
  {
    names: ['registrar.min_expires'],
    key: 'policy.min-expires',
    set: amount('policy.min-expires', 1, INT_MAX, 1),
    says: 'Shorter intervals are answered 423 here, where Kamailio lengthens them.',
  },
  {
    names: ['registrar.max_expires'],
    key: 'policy.max-expires',
    set: amount('policy.max-expires', 1, INT_MAX, INT_MAX),
    says: 'Longer intervals are shortened; 0 stands for no limit there.',
  },
  {
    names: ['registrar.expires_range', 'registrar.default_expires_range'],
    key: 'policy.expires-jitter',
    set: amount('policy.expires-jitter', 0, 90),
    says: 'Granted intervals are spread; here they are only shortened, by 10 percent without a setting.',
  },
  {
    names: ['registrar.max_contacts'],
    key: 'policy.contacts-per-aor',
    set: (text) => ({
      ...amount('policy.contacts-per-aor', 1, 64, 64)(text),
      ...(number(text) === 0 ? {} : { 'policy.contacts-overflow': 'reject' }),
    }),
    says: 'Contacts of one AOR, 64 at most here; `reject` refuses further ones as the others do.',
  },
  {
    names: ['registrar.use_path'],
    key: 'policy.path',
    set: choice('policy.path', { '0': 'off', '1': 'lazy' }),
    says: 'Path is accepted here unless it is switched off.',
  },
  {
    names: ['registrar.path_mode'],
    key: 'policy.path',
    set: choice('policy.path', { '0': 'lazy', '1': 'lazy', '2': 'strict' }),
    says: 'What becomes of a Path from a client that does not support it.',
  },
  {
    names: ['registrar.path_use_received', 'registrar.path_check_local'],
    says: 'Lookups give the whole Path, and a `received` in it stays as it is.',
  },
  {
    names: ['registrar.outbound_mode'],
    key: 'policy.outbound',
    set: choice('policy.outbound', { '0': 'off', '1': 'on', '2': 'required' }),
    says: 'Flows of RFC 5626.',
  },
  {
    names: ['registrar.regid_mode'],
    key: 'policy.outbound',
    set: choice('policy.outbound', { '0': 'on', '1': 'on' }),
    says: 'reg-id counts where outbound does.',
  },
  {
    names: ['registrar.flow_timer'],
    key: 'policy.flow-timer',
    set: amount('policy.flow-timer', 0, 86_400),
    says: 'Flow-Timer of flows over connections of Aorta itself.',
  },
  {
    names: ['registrar.gruu_enabled', 'registrar.gruu_secret'],
    key: 'policy.gruu',
    set: choice('policy.gruu', { '0': 'off', '1': 'on' }),
    says: 'GRUUs of RFC 5627; the secret is made with the data directory.',
  },
  {
    names: ['registrar.retry_after'],
    key: 'policy.retry-after-max',
    says: 'Each 503 has a Retry-After of its own, which storm control computes; the key bounds it.',
  },
  {
    names: ['registrar.received_param', 'registrar.received_avp', 'registrar.sock_hdr_name', 'registrar.sock_flag'],
    says: 'The source of every REGISTER is kept, and lookups give it as `received`.',
  },
  {
    names: ['registrar.tcp_persistent_flag', 'usrloc.handle_lost_tcp', 'usrloc.close_expired_tcp'],
    key: 'policy.connection-bindings',
    says: 'Bindings end with their connection where no other way leads to the phone; `policy.flow-grace` keeps them a while.',
  },
  {
    names: ['registrar.case_sensitive'],
    says: 'User names differ by case, as RFC 3261 §19.1.4 has it; hosts do not.',
  },
  {
    names: ['registrar.append_branches', 'registrar.method_filtering', 'registrar.lookup_filter_mode'],
    says: 'A lookup gives all contacts, best first, and the proxy decides about branches.',
  },
  {
    names: ['registrar.realm_prefix', 'auth.realm_prefix'],
    key: 'domains',
    says: 'The realm is the domain of the address; list each host name under `domains`.',
  },
];

export const USRLOC: readonly ForeignParameter[] = [
  {
    names: ['usrloc.db_mode'],
    key: 'durability',
    set: choice('durability', { '0': 'process', '1': 'durable', '2': 'durable', '3': 'durable' }),
    says: 'Each binding is on disk before its 200; 0 survives a crash of the process alone here, not nothing.',
  },
  {
    names: ['usrloc.working_mode_preset', 'usrloc.cluster_mode', 'usrloc.restart_persistency', 'usrloc.sql_write_mode'],
    key: 'durability',
    says: 'Bindings outlive a restart by themselves, and several nodes share them in a cluster (docs/cluster.md).',
  },
  {
    names: ['usrloc.db_url'],
    key: 'data',
    says: 'Bindings lie in the data directory; `aorta location import` takes the table over.',
  },
  {
    names: ['usrloc.use_domain'],
    says: 'Every AOR has a domain; `aorta location import --domain` names it for rows without one.',
  },
  {
    names: ['usrloc.timer_interval', 'usrloc.timer_procs', 'usrloc.hash_size', 'usrloc.preload', 'usrloc.db_ops_ruid'],
    says: 'Expiry needs no interval and the table no size: each binding ends at its own time.',
  },
  {
    names: ['usrloc.matching_mode', 'usrloc.cseq_delay', 'usrloc.desc_time_order'],
    says: 'Contacts match by instance and reg-id, else by URI, and the CSeq counts (RFC 3261 §10.3).',
  },
  {
    names: ['usrloc.nat_bflag', 'registrar.mcontact_avp'],
    says: 'What is behind a NAT shows by the source, and no flag marks it.',
  },
  {
    names: [
      'usrloc.db_cluster',
      'usrloc.location_cluster',
      'dmq_usrloc.enable',
      'dmq.server_address',
      'usrloc.server_id',
    ],
    key: 'cluster',
    says: 'Several nodes keep the same bindings through NATS JetStream (docs/cluster.md).',
  },
  {
    names: ['usrloc.ka_mode'],
    key: 'policy.ping',
    set: (text) =>
      number(text) === undefined ? undefined : { 'policy.ping': KEEP_ALIVES[number(text) ?? 0] ?? 'all' },
    says: 'Contacts without a Path are pinged; `pings.method` has how.',
  },
  {
    names: ['nathelper.natping_interval', 'usrloc.ka_interval'],
    key: 'pings.interval',
    set: (text) =>
      number(text) === 0
        ? { 'policy.ping': 'off' }
        : { 'policy.ping': 'nat', ...amount('pings.interval', 1, 86_400)(text) },
    says: 'Contacts behind NAT are pinged once in this time.',
  },
  {
    names: ['nathelper.ping_nated_only'],
    key: 'policy.ping',
    says: '`nat` pings contacts behind NAT, `all` all contacts without a Path.',
  },
  {
    names: ['nathelper.sipping_bflag', 'nathelper.sipping_from', 'nathelper.sipping_method'],
    key: 'pings.method',
    says: 'A ping is an OPTIONS without a setting; `crlf` sends empty lines.',
  },
];
