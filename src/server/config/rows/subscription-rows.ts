// Rows of the section `registration-events`: permission to watch registrations (RFC 3680), and its limits.

import { canonicalDomain } from '../../../core/uas/domains.ts';
import { SECONDS_MAX } from '../intervals.ts';
import { anyOf, integer, parsed, seconds, yesOrNo } from './kinds.ts';
import { AT_ONCE, RESTART, row, section } from './row.ts';
import { prefixes } from './texts.ts';

const SUBSCRIPTIONS_MAX = 10_000_000;

const user = parsed('`user@domain`', (text) => {
  const [, name, domain] = /^(?:sips?:)?([^@\s]+)@([^@\s]+)$/i.exec(text) ?? [];
  if (name !== undefined && domain !== undefined) return `${name}@${canonicalDomain(domain)}`;
  throw new RangeError(`expected a user such as app@example.com, got "${text}"`);
});

export const subscriptionRows = section('Subscribers are told of registrations (event package `reg`, RFC 3680).', {
  enabled: row(
    'policy.subscriptions.enabled',
    yesOrNo,
    RESTART,
    'SUBSCRIBE is served; users may watch the AORs that they may register.',
  ),
  'default-expires': row(
    'policy.subscriptions.defaultExpiresS',
    seconds(1, SECONDS_MAX),
    AT_ONCE,
    'A subscription that asks for no interval is granted this one.',
  ),
  'min-expires': row(
    'policy.subscriptions.minExpiresS',
    seconds(1, 3600),
    AT_ONCE,
    'Subscriptions with a shorter interval are answered 423.',
  ),
  'max-expires': row(
    'policy.subscriptions.maxExpiresS',
    seconds(1, SECONDS_MAX),
    AT_ONCE,
    'Subscriptions with a longer interval are shortened to this one.',
  ),
  'notify-interval': row(
    'policy.subscriptions.notifyIntervalS',
    seconds(0, 3600),
    AT_ONCE,
    'Changes within this time are told in one NOTIFY (RFC 3680 §4.10).',
  ),
  'per-aor': row(
    'policy.subscriptions.perAorMax',
    integer(1, 1000),
    AT_ONCE,
    'An AOR has at most this many subscriptions; one more is answered 403.',
  ),
  'per-shard': row(
    'policy.subscriptions.perShardMax',
    integer(1, SUBSCRIPTIONS_MAX),
    AT_ONCE,
    'A shard has at most this many subscriptions; one more is answered 503.',
  ),
  from: row(
    'policy.subscriptions.from',
    prefixes,
    AT_ONCE,
    'Elements at these addresses may watch every AOR without a password; over UDP an address is no proof.',
    { example: ['192.0.2.30'] },
  ),
  watchers: row(
    'policy.subscriptions.watchers',
    anyOf(user),
    AT_ONCE,
    'These users may watch every AOR of their domain.',
    { example: ['app@example.com'] },
  ),
});
