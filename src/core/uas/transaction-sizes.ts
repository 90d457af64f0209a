// Sizes of the tables of transactions. A file of its own, so that a test may put smaller numbers in their place.

import { SLOT_COUNT } from '../../sip/parser/slab.ts';

/** Bytes of the ring of kept answers, at least: a batch of the largest answers must not overwrite one that the batch replays. */
export const ANSWER_RING_BYTES_MIN = 2 * SLOT_COUNT * 65_536;

/** Transactions that there is room for at first, a power of two. */
export const TRANSACTIONS_AT_FIRST = 4096;

/** INVITEs of a shard whose ACK is waited for, a power of two. Of more, a lost answer is sent again when the client repeats its INVITE. */
export const INVITES_MAX = 16_384;
