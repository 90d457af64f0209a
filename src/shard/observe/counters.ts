// What a shard counts, in shared memory: one writer (the shard), any number of readers, no locks.
// Names here are those that the log, the status line and later the metrics use.

import { REASON_NAMES } from '../../core/uas/reasons.ts';

const NAMES = [
  'received', // messages taken in from the network, each counted by the shard that took it in
  'forwarded', // handed to the shard that owns the AOR
  'registered', // bindings added
  'refreshed', // bindings renewed
  'unregistered', // bindings removed by their clients
  'evicted', // bindings removed because the AOR had as many as it may have
  'expired', // bindings whose interval ran out
  'flow_ended', // bindings removed because the connection they were made over ended
  'fetched', // REGISTERs without Contact answered 200
  'ok', // 200 answers to REGISTER
  'refused', // final answers of 300 and above
  'absorbed', // retransmissions answered from memory
  'merged', // 482
  'redirected', // 302
  'not_redirected', // requests for a user who has no contact to be named: 404 or 480
  'acknowledged', // ACKs of INVITEs answered here
  'resent', // answers to INVITEs that were sent again for lack of an ACK
  'options', // OPTIONS answered 200
  'subscribed', // SUBSCRIBEs answered 200
  'notified', // NOTIFYs sent
  'notify_resent', // NOTIFYs sent again over UDP for lack of an answer
  'notify_refused', // NOTIFYs answered with 300 or above
  'notify_timeouts', // subscriptions removed for want of an answer
  'pings_sent', // to contacts, from this side
  'pings_answered',
  'pings_lost', // not answered when the next one was due
  'pings_removed', // bindings removed for want of answers
  'pings_left_out', // contacts that found no place among those that are pinged
  'stun', // STUN keep-alives answered
  'refused_connections', // closed by the shard that accepted them, for few descriptors are left
  'skipped_bytes', // between messages, over connections that the shard reads itself: foreign keep-alives
  'pings', // double CRLFs answered, over connections that the shard reads itself
  'ignored_rows', // malformed header rows that nobody needs, passed over
  'dropped_not_sip',
  'dropped_no_via',
  'dropped_response',
  'dropped_ack',
  'dropped_keep_alive',
  'dropped_in_progress', // retransmissions of a request whose answer waits for its commit
  'dropped_not_owner', // REGISTERs over UDP that another node is to answer, or this one later: their phones repeat them
  'waiting', // messages kept until their user's credentials have been fetched
  'put_off_new', // new registrations told to come back later, because the shard has more than it can do: 503
  'put_off_ring_full', // requests over streams whose shard had no room: 503
  'put_off_not_owner', // REGISTERs over streams that could not be decided here and now, and others where that lasts: 503
  'put_off_guesses', // credentials for an account that is being guessed at, from where it never succeeded: 503
  'dropped_source', // from a source that is refused for what it did (abuse control)
  'dropped_scanner', // from tools that say they are scanners
  'dropped_ring_full',
  'large_answers', // over UDP, above 1300 bytes: they may leave in fragments
  'dropped_send', // answers the socket would not take
  'dropped_amplifying', // answers to strangers over UDP, more than three times as long as the request
  'tapped', // messages copied for watchers
  'tap_dropped', // those that did not fit
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
  'commits_failing', // gauge: 1 while the last commit failed
  'committing', // gauge: 1 while a commit waits for the disk
  'commit_us', // time spent in commits
  'busy_us', // time spent on batches, commits included
  'batches',
  'quarantined', // damaged records set aside
  'scrubbed_bytes', // of the log, read through once a day; counted by the main thread
  'scrubbed_damaged', // places that were damaged then; counted by the main thread
  'bindings', // gauge
  'aors', // gauge
  'transactions', // gauge
  'subscriptions', // gauge
  'pinged_contacts', // gauge
  'to_open', // gauge: bytes that the store reads while it opens
  'opened', // gauge: of those, read
  'loops', // passes of the shard's loop: shows that it lives
] as const;

/** Refused REGISTERs by reason: `refused_` and a name of core/uas/reasons. */
/** Refusals by reason. */
export type RefusalCounterName = `refused_${string}`;
export type CounterName = (typeof NAMES)[number] | RefusalCounterName;

/** The counter of REASON_UNSPECIFIED; the other reasons' follow by their codes. */
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
