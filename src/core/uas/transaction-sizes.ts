// Sizes of the tables of transactions. A file of its own, so that a test may replace them with smaller numbers.

import { SLOT_COUNT } from '../../sip/parser/slab.ts';

/** Minimum bytes of the ring of kept answers: a batch of the largest answers must not overwrite one that the batch replays. */
export const ANSWER_RING_BYTES_MIN = 2 * SLOT_COUNT * 65_536;

/** Initial capacity in transactions, a power of two. */
export const TRANSACTIONS_AT_FIRST = 4096;

/** INVITEs of a shard that wait for their ACK, a power of two. Beyond it, a lost answer is sent again when the client repeats its INVITE. */
export const INVITES_MAX = 16_384;
