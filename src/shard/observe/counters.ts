// A shard's counters, in shared memory: one writer (the shard), any number of readers, no locks.
// The log, the status line and the metrics use these names.

import { REASON_NAMES } from '../../core/uas/reasons.ts';

const NAMES = [
  'received', // messages received from the network, each counted by the shard that received it
  'forwarded', // handed to the shard that owns the AOR
  'registered', // bindings added
  'refreshed', // bindings renewed
  'unregistered', // bindings removed by their clients
  'evicted', // bindings removed because the AOR had its maximum
  'expired', // bindings whose interval ran out
  'flow_ended', // bindings removed because the connection of their REGISTER closed
  'fetched', // REGISTERs without Contact answered 200
  'ok', // 200 answers to REGISTER
  'refused', // final answers of 300 and above
  'absorbed', // retransmissions answered from memory
  'merged', // 482
  'redirected', // 302
  'not_redirected', // lookups of a user without a contact to name: 404 or 480
  'acknowledged', // ACKs of INVITEs that this shard answered
  'resent', // answers to INVITEs that were sent again for lack of an ACK
  'options', // OPTIONS answered 200
  'subscribed', // SUBSCRIBEs answered 200
  'notified', // NOTIFYs sent
  'notify_resent', // NOTIFYs sent again over UDP for lack of an answer
  'notify_refused', // NOTIFYs answered with 300 or above
  'notify_timeouts', // subscriptions removed for lack of an answer
  'pings_sent', // to contacts, by this server
  'pings_answered',
  'pings_lost', // not answered when the next one was due
  'pings_removed', // bindings removed for lack of answers
  'pings_left_out', // contacts not pinged, since the maximum was reached
  'stun', // STUN keep-alives answered
  'refused_connections', // closed by the shard that accepted them, since few descriptors are left
  'skipped_bytes', // between messages, over connections that the shard reads itself: foreign keep-alives
  'pings', // double CRLFs answered, over connections that the shard reads itself
  'ignored_rows', // malformed header rows that are not needed, ignored
  'dropped_not_sip',
  'dropped_no_via',
  'dropped_response',
  'dropped_ack',
  'dropped_keep_alive',
  'dropped_in_progress', // retransmissions of a request whose answer waits for its commit
  'dropped_not_owner', // REGISTERs over UDP for another node, or for this one later: their phones repeat them
  'waiting', // messages kept until their user's credentials have been fetched
  'put_off_new', // new registrations refused for now, because the shard is overloaded: 503
  'put_off_ring_full', // requests over streams whose shard had no space in its ring: 503
  'put_off_not_owner', // REGISTERs over streams that this node could not decide now, and other requests where that lasts: 503
  'put_off_guesses', // credentials for an account under attack, from a source where it never succeeded: 503
  'dropped_source', // from a source that abuse control refuses
  'dropped_scanner', // from tools that name themselves scanners
  'dropped_ring_full',
  'large_answers', // over UDP, above 1300 bytes: they may be fragmented
  'dropped_send', // answers that the socket did not accept
  'dropped_amplifying', // answers to strangers over UDP, more than three times as long as the request
  'tapped', // messages copied for watchers
  'tap_dropped', // copies that did not fit
  'answered_400',
  'answered_401',
  'answered_403',
  'answered_404',
  'answered_405',
  'answered_406',
  'answered_415',
  'answered_416',
  'answered_420',
  'answered_421',
  'answered_423',
  'answered_439',
  'answered_480',
  'answered_481',
  'answered_482',
  'answered_489',
  'answered_500',
  'answered_501',
  'answered_503',
  'answered_504',
  'answered_505',
  'answered_513',
  'answered_555',
  'commits',
  'commit_failures',
  'load_failures', // records that could not be read; their requests draw 500
  'commits_failing', // gauge: 1 from a failed commit until none has failed for three seconds
  'committing', // gauge: 1 while a commit waits for the disk
  'commit_us', // time spent in commits
  'busy_us', // time spent on batches, commits included
  'batches',
  'quarantined', // damaged records set aside
  'scrubbed_bytes', // of the log, read once a day; counted by the main thread
  'scrubbed_damaged', // damaged places found by that; counted by the main thread
  'bindings', // gauge
  'aors', // gauge
  'transactions', // gauge
  'subscriptions', // gauge
  'pinged_contacts', // gauge
  'to_open', // gauge: bytes that the store reads while it opens
  'opened', // gauge: of those, read
  'loops', // passes of the shard's loop: a sign of life
] as const;

/** Refused REGISTERs by reason: `refused_` and a name of core/uas/reasons. */
export type RefusalCounterName = `refused_${string}`;
export type CounterName = (typeof NAMES)[number] | RefusalCounterName;

/** The counter of REASON_UNSPECIFIED; those of the other reasons follow by their codes. */
export const REFUSED_BY_REASON = NAMES.length;

export const COUNTER_NAMES: readonly CounterName[] = [
  ...NAMES,
  ...REASON_NAMES.map((name, code): RefusalCounterName => `refused_${name === 'unspecified' ? code : name}`),
];

/** Index of each counter in a shard's Float64Array. */
export const COUNTER = Object.fromEntries(COUNTER_NAMES.map((name, index) => [name, index])) as {
  readonly [name in CounterName]: number;
};

/** Bytes of shared memory for one shard's counters. */
export const COUNTERS_BYTES = COUNTER_NAMES.length * 8;
