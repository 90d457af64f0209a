// Rows of the section `abuse`: limits of a source and of an account, beyond which their messages are ignored. abuse-policy.ts has the reasons
// for the numbers.

import { amount, anyOf, fineSeconds, type Kind, text, yesOrNo } from './kinds.ts';
import { AT_ONCE, RESTART, row, section } from './row.ts';
import { prefix } from './texts.ts';

const number: Kind<number> = amount(1e9);
const duration = fineSeconds(1e9);
const size = amount(1 << 24);
const unbounded = { max: Number.POSITIVE_INFINITY };

export const abuseRows = section('Budgets of sources and accounts against guessing, scanning and floods.', {
  enabled: row('abuse.enabled', yesOrNo, AT_ONCE, 'Abuse control counts and refuses.'),
  unlimited: row('abuse.unlimited', anyOf(prefix, unbounded), AT_ONCE, 'Sources in these prefixes are never limited.'),
  'scanner-agents': row(
    'abuse.scannerAgents',
    anyOf(text(), unbounded),
    AT_ONCE,
    'Messages whose User-Agent starts with one of these texts are dropped.',
  ),
  'ipv4-prefix-bits': row(
    'abuse.ipv4PrefixBits',
    amount(32),
    AT_ONCE,
    'This many bits of an IPv4 address make a source.',
  ),
  'ipv6-prefix-bits': row(
    'abuse.ipv6PrefixBits',
    amount(128),
    AT_ONCE,
    'This many bits of an IPv6 address make a source.',
  ),
  'ipv6-aggregate-bits': row(
    'abuse.ipv6AggregateBits',
    amount(128),
    AT_ONCE,
    'This many bits of an IPv6 address make an aggregate of sources, such as a site.',
  ),
  'aggregate-factor': row(
    'abuse.aggregateFactor',
    number,
    AT_ONCE,
    'An aggregate has this many times the budget of a source.',
  ),
  'failures-max': row('abuse.failuresMax', number, AT_ONCE, 'A source may have this many failures at once.'),
  'failures-per-s': row(
    'abuse.failuresPerS',
    number,
    AT_ONCE,
    'This many failures of a source are forgiven per second.',
  ),
  'failed-credentials-cost': row(
    'abuse.failedCredentialsCost',
    number,
    AT_ONCE,
    'A wrong password counts as this many failures.',
  ),
  'refused-cost': row('abuse.refusedCost', number, AT_ONCE, 'A 403 or 404 counts as this many failures.'),
  'malformed-cost': row('abuse.malformedCost', number, AT_ONCE, 'A 400 counts as this many failures.'),
  'challenges-max': row(
    'abuse.challengesMax',
    number,
    AT_ONCE,
    'A source may have this many unanswered challenges at once.',
  ),
  'challenges-per-s': row(
    'abuse.challengesPerS',
    number,
    AT_ONCE,
    'This many unanswered challenges of a source are forgiven per second.',
  ),
  'failures-refund': row('abuse.failuresRefund', number, AT_ONCE, 'A success takes this many failures back.'),
  'challenges-refund': row('abuse.challengesRefund', number, AT_ONCE, 'A success takes this many challenges back.'),
  'failures-standing': row(
    'abuse.failuresStanding',
    number,
    AT_ONCE,
    'The budget of failures grows by its own size for every so many successes.',
  ),
  'challenges-standing': row(
    'abuse.challengesStanding',
    number,
    AT_ONCE,
    'The budget of challenges grows by its own size for every so many successes.',
  ),
  'standing-factor-max': row(
    'abuse.standingFactorMax',
    number,
    AT_ONCE,
    'Successes raise a budget to at most this many times its size.',
  ),
  'known-flow-s': row(
    'abuse.knownFlowS',
    duration,
    AT_ONCE,
    'An address and port with a success is served for this time although its prefix is refused.',
  ),
  'flow-failures-max': row(
    'abuse.flowFailuresMax',
    number,
    AT_ONCE,
    'Such an address and port may have this many failures before its prefix alone counts.',
  ),
  'flow-failures-per-s': row(
    'abuse.flowFailuresPerS',
    number,
    AT_ONCE,
    'This many failures of such an address and port are forgiven per second.',
  ),
  'flow-challenge-cost': row(
    'abuse.flowChallengeCost',
    number,
    AT_ONCE,
    'An unanswered challenge of such an address and port counts as this many failures.',
  ),
  'aor-failures-max': row(
    'abuse.aorFailuresMax',
    number,
    AT_ONCE,
    'An account may draw this many wrong passwords before attempts of strangers are limited.',
  ),
  'aor-failures-per-s': row(
    'abuse.aorFailuresPerS',
    number,
    AT_ONCE,
    'Strangers then share this many attempts per second.',
  ),
  'aor-refund': row('abuse.aorRefund', number, AT_ONCE, 'A success takes this many wrong passwords back.'),
  'sources-max': row('abuse.sourcesMax', size, RESTART, 'A shard remembers this many sources, of 37 bytes each.'),
  'flows-max': row(
    'abuse.flowsMax',
    size,
    RESTART,
    'A shard remembers this many addresses and ports with a success, of 16 bytes each.',
  ),
  'aors-max': row(
    'abuse.aorsMax',
    size,
    RESTART,
    'A shard remembers this many accounts with wrong passwords, of 20 bytes each.',
  ),
  'report-every-s': row(
    'abuse.reportEveryS',
    duration,
    AT_ONCE,
    'The log has at most one line about a source in this time.',
  ),
  'reports-per-s': row(
    'abuse.reportsPerS',
    number,
    AT_ONCE,
    'A shard writes at most this many lines about sources per second.',
  ),
});
