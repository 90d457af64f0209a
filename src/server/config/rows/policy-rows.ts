// Rows of the rules for registrations: `policy`, `limits`, `parser`, and the headers of answers by domain and by user.

import { BINDINGS_MAX } from '../../../core/register/working-bindings.ts';
import type { DomainPolicy, Policy } from '../../../core/uas/policy.ts';
import { ANSWER_BYTES_MIN } from '../../../core/uas/transaction-sizes.ts';
import { GENERATION_BYTES } from '../../../location/log/generation/generation-size.ts';
import { MESSAGE_BYTES_MAX } from '../../../sip/parser/slab.ts';
import { LENIENCIES, type Leniency } from '../../../sip/parser/strictness.ts';
import { TRANSPORT_NAMES } from '../../../sip/sources.ts';
import { SECONDS_MAX } from '../intervals.ts';
import { numbersByPbx } from '../sections/bulk-config.ts';
import { parseAssociated, parseRoute, withLowerHosts } from '../sections/home-config.ts';
import { defaultOf } from './describe.ts';
import {
  anyOf,
  byName,
  bytes,
  choice,
  expected,
  hint,
  integer,
  type Kind,
  mapped,
  milliseconds,
  parsed,
  percent,
  seconds,
  yesOrNo,
} from './kinds.ts';
import { AT_ONCE, RESTART, type Row, row, rowsOf, section } from './row.ts';
import { prefixes } from './texts.ts';

export const policyRows = section('Registrations meet these rules.', {
  'default-expires': row(
    'policy.defaultExpiresS',
    seconds(1, SECONDS_MAX),
    AT_ONCE,
    'A registration that asks for no interval is granted this one.',
    { flag: { option: '--default-expires <s>' } },
  ),
  'min-expires': row(
    'policy.minExpiresS',
    seconds(1, SECONDS_MAX),
    AT_ONCE,
    'Registrations with a shorter interval are answered 423; below an hour alone (RFC 3261 §10.3).',
    { flag: { option: '--min-expires <s>' } },
  ),
  'max-expires': row(
    'policy.maxExpiresS',
    seconds(1, SECONDS_MAX),
    AT_ONCE,
    'Registrations with a longer interval are shortened to this one.',
    { flag: { option: '--max-expires <s>' } },
  ),
  'expires-jitter': row(
    'policy.expiresJitterPercent',
    percent(90),
    AT_ONCE,
    'Granted intervals are shortened at random by up to this many percent, so that phones do not refresh in step.',
    { flag: { option: '--expires-jitter <percent>' } },
  ),
  'contacts-per-aor': row(
    'policy.contactsPerAorMax',
    integer(1, BINDINGS_MAX),
    AT_ONCE,
    'An AOR has at most this many bindings.',
  ),
  'contacts-overflow': row(
    'policy.contactsOverflow',
    choice('reject', 'evict-oldest'),
    AT_ONCE,
    'A registration beyond `contacts-per-aor` is answered 403, or the bindings refreshed longest ago are removed.',
  ),
  'overload-target-ms': row(
    'policy.overloadTargetMs',
    milliseconds(0, 60_000),
    AT_ONCE,
    'Storm control answers new registrations 503 once requests wait for two fifths of this time; 0 switches it off.',
  ),
  'retry-after-max': row(
    'policy.retryAfterMaxS',
    seconds(1, 3600),
    AT_ONCE,
    'Retry-After of storm control names at most this time.',
  ),
  'connection-bindings': row(
    'policy.connectionBindings',
    choice('auto', 'flow', 'contact'),
    AT_ONCE,
    'Bindings end with their connection where no other way leads to the phone (`auto`), always (`flow`), or whatever address the contact names (`contact`).',
  ),
  'flow-grace': row(
    'policy.flowGraceS',
    seconds(0, 86_400),
    AT_ONCE,
    'A binding is kept for this time after its connection ended, unseen by lookups, for its client to resume.',
  ),
  path: row(
    'policy.path',
    choice('lazy', 'strict', 'off'),
    AT_ONCE,
    'A Path from a client that does not list `path` is accepted (`lazy`) or answered 420 (`strict`); `off` ignores Path (RFC 3327).',
  ),
  outbound: row(
    'policy.outbound',
    choice('on', 'off', 'required'),
    AT_ONCE,
    'Flows of RFC 5626 are accepted, ignored (`off`), or the only contacts accepted (`required`).',
  ),
  'flow-timer': row(
    'policy.flowTimerS',
    seconds(0, 86_400),
    AT_ONCE,
    'Flow-Timer of flows over connections of Aorta itself has this value; 0 sends none (RFC 5626 §4.4).',
  ),
  gruu: row('policy.gruu', choice('on', 'off'), AT_ONCE, 'Phones that support GRUUs get them (RFC 5627).'),
  'gruu-generation': row(
    'policy.gruuGeneration',
    integer(0, 1 << 30),
    AT_ONCE,
    'Another number ends every temporary GRUU.',
  ),
  'force-rport': row(
    'policy.forceRport',
    yesOrNo,
    AT_ONCE,
    'Answers over UDP go to the port that a request came from, also where its Via has no rport (RFC 3581): for phones behind NAT.',
  ),
  warning: row('policy.warning', yesOrNo, AT_ONCE, 'Refusals carry their reason code in a Warning header.'),
  transports: row(
    'policy.transports',
    anyOf(choice(...TRANSPORT_NAMES)),
    AT_ONCE,
    'Registrations are accepted over these transports alone, others are answered 403; an empty list allows all.',
    { example: ['tls', 'wss'] },
  ),
  networks: row(
    'policy.networks',
    prefixes,
    AT_ONCE,
    'Registrations are accepted from these networks alone, others are answered 403; an empty list allows all.',
    { example: ['192.0.2.0/24'] },
  ),
  ping: row(
    'policy.ping',
    choice('off', 'nat', 'all'),
    AT_ONCE,
    'Contacts that registered without a proxy are pinged: none, those behind NAT, or all; section `pings` has how.',
  ),
  'history-refreshes': row(
    'policy.historyRefreshes',
    yesOrNo,
    AT_ONCE,
    'The history of changes keeps refreshes, too, and so covers a shorter time.',
  ),
});

/** Rules that a domain may have on its own. */
const BY_DOMAIN = [
  'default-expires',
  'min-expires',
  'max-expires',
  'expires-jitter',
  'contacts-per-aor',
  'contacts-overflow',
  'connection-bindings',
  'path',
  'outbound',
  'flow-timer',
  'gruu',
  'transports',
  'networks',
  'ping',
] as const;

/** The row of a domain: in the domain's part of a Config, without a flag; without a value of the domain the server's holds. */
function ofDomain<In>({ flag: _, ...rest }: Row<In>): Row<In> {
  const example = rest.example ?? defaultOf(rest);
  return { ...rest, at: rest.at.slice(1), otherwise: 'as in `policy`', example };
}

const domainRow = rowsOf<DomainPolicy>();

const domainPolicyRows = section('The domain has these rules for itself; what it does not say is as in `policy`.', {
  'bindings-max': domainRow(
    'bindingsMax',
    integer(0, 2 ** 31 - 1),
    AT_ONCE,
    'The domain has at most this many bindings; a registration beyond is answered 403, and 0 sets no limit.',
    { otherwise: '0', example: 1000 },
  ),
  ...(Object.fromEntries(BY_DOMAIN.map((key) => [key, ofDomain<unknown>(policyRows.keys[key])])) as unknown as {
    readonly [K in (typeof BY_DOMAIN)[number]]: (typeof policyRows.keys)[K];
  }),
});

/** A wrong value is reported at the place of the list. */
function headerValues(
  what: string,
  read: (text: string) => string,
): Kind<readonly string[], string | readonly string[]> {
  const list = anyOf(parsed(what, read), { max: Number.POSITIVE_INFINITY });
  return { ...list, read: (value, tell) => list.read(value, (problem) => tell(problem)) };
}
const routes = headerValues('route', parseRoute);

/** Rules that a user may have on its own. */
const BY_USER = [
  'default-expires',
  'min-expires',
  'max-expires',
  'expires-jitter',
  'contacts-per-aor',
  'contacts-overflow',
  'path',
  'outbound',
  'transports',
  'networks',
] as const;

/** Shaped for `aorta user policy` and providers. */
export const userRows = section('The user has these rules for itself; what it does not say is as in the domain.', {
  ...Object.fromEntries(BY_USER.map((key) => [key, ofDomain<unknown>(policyRows.keys[key])])),
  'service-route': domainRow(
    'serviceRoutes',
    mapped(
      routes,
      (list): Policy['serviceRoutes'] => ({ '*': list }),
      (byDomain) => byDomain['*'],
    ),
    AT_ONCE,
    'Answers to the user have this Service-Route in place of that of its domain, the first hop first; an empty list: none.',
    { otherwise: "the domain's", example: ['<sip:proxy.example.com;lr>'] },
  ),
});

export const domainRows = section('What holds for one domain alone.', { policy: domainPolicyRows });

export const limitRows = section('Messages and memory have these limits.', {
  'aor-bytes': row('policy.aorBytesMax', bytes(16, 1024), AT_ONCE, 'A longer AOR is answered 404.'),
  'contact-bytes': row(
    'policy.contactBytesMax',
    bytes(64, 4096),
    AT_ONCE,
    'A longer Contact value, URI and parameters, is answered 400.',
  ),
  'path-bytes': row(
    'policy.pathBytesMax',
    bytes(256, 16_384),
    AT_ONCE,
    'Path values that are longer together are answered 400.',
  ),
  'call-id-bytes': row('policy.callIdBytesMax', bytes(32, 1024), AT_ONCE, 'A longer Call-ID is answered 400.'),
  'message-bytes': row(
    'policy.messageBytesMax',
    bytes(512, MESSAGE_BYTES_MAX),
    RESTART,
    'A longer request is answered 513.',
  ),
  'timer-j-ms': row(
    'policy.timerJMs',
    milliseconds(1000, 600_000),
    RESTART,
    'An answer is kept for this time for retransmissions over UDP (Timer J, RFC 3261 §17.2.2).',
  ),
  transactions: row(
    'policy.transactionsMax',
    integer(1024, 1 << 24),
    RESTART,
    'A shard remembers at most this many transactions; the oldest are forgotten first.',
  ),
  'answer-bytes': row(
    'policy.answerBytesMax',
    bytes(ANSWER_BYTES_MIN, 1 << 30),
    RESTART,
    'A shard keeps this many bytes of answers for retransmissions.',
  ),
  'history-bytes': row(
    'policy.historyBytes',
    bytes(0, 1 << 30),
    RESTART,
    'A shard keeps its newest changes of bindings in this much memory; 0 keeps none, on disk neither.',
  ),
  'history-disk-bytes': row(
    'historyDiskBytes',
    bytes(0, 2 ** 40),
    RESTART,
    'Changes of bindings are kept in this much of the data directory, the newest of all shards; 0 keeps none there.',
  ),
  'checkpoint-bytes': row(
    'checkpointBytes',
    bytes(1 << 16, 2 ** 40),
    RESTART,
    'A shard’s log grows by at least this much between two checkpoints.',
  ),
  'generation-bytes': row(
    'generationBytes',
    bytes(1 << 20, GENERATION_BYTES),
    RESTART,
    'A file of a shard’s log has about this many bytes when the next one begins; the log keeps two at least.',
  ),
});

/** `true` for all, `false` for none, or names from docs/parser.md. */
const leniencies: Kind<readonly Leniency[], boolean | Leniency | readonly Leniency[]> = {
  read(value, tell) {
    if (value === true) return LENIENCIES;
    if (value === false) return [];
    const names: readonly unknown[] = Array.isArray(value) ? value : [value];
    const wrong = names.find((name) => !isLeniency(name));
    if (wrong === undefined) return names.filter(isLeniency);
    tell(`${expected('true, false or names of leniencies', wrong)}${hint(wrong, LENIENCIES)}`);
    return undefined;
  },
  show: (names) => names,
  text: '`true`, `false`, or a list of names',
  json: {
    anyOf: [{ type: 'boolean' }, { enum: LENIENCIES }, { type: 'array', items: { enum: LENIENCIES } }],
  },
};

function isLeniency(name: unknown): name is Leniency {
  return LENIENCIES.some((known) => known === name);
}

export const parserRows = section('Messages are read this strictly.', {
  strict: row(
    'policy.strict',
    leniencies,
    AT_ONCE,
    'These leniencies of the [parser](parser.md) are switched off, or all of them (`true`): requests that need one are answered 400.',
    { example: ['call-id'] },
  ),
});

const withLowerNames = <T, In>(kind: Kind<Readonly<Record<string, T>>, In>) =>
  mapped(kind, withLowerHosts, (values) => values);

/** Values by domain. */
export const byDomainRows = {
  'service-route': row(
    'policy.serviceRoutes',
    withLowerNames(byName('domain', routes)),
    AT_ONCE,
    'Answers to users of a domain have this Service-Route, the first hop first; `*` stands for all other domains (RFC 3608).',
    { example: { 'example.com': ['<sip:proxy.example.com;lr>'] } },
  ),
};

export const homeRows = {
  ...byDomainRows,
  'associated-uris': row(
    'policy.associatedUris',
    withLowerNames(byName('user@domain', headerValues('URI', parseAssociated))),
    AT_ONCE,
    'Answers to a user have this P-Associated-URI: further identities of that user (RFC 7315).',
    { example: { 'alice@example.com': ['tel:+12145550102'] } },
  ),
  'bulk-numbers': row(
    'policy.bulkNumbers',
    numbersByPbx,
    AT_ONCE,
    'A PBX that registers with `Require: gin` is the contact of all these numbers of its domain (RFC 6140).',
    { example: { 'pbx@example.com': ['+12145550100-+12145550199'] } },
  ),
};
