// Sizes of the tables of transactions. A file of its own, so that a test may replace them with smaller numbers.

import { SLOT_COUNT } from '../../sip/parser/slab.ts';

/** Bytes of a batch of the largest answers: the least that a shard keeps. */
export const ANSWER_BYTES_MIN = SLOT_COUNT * 65_536;

/** Of the ring of answers, the share in which one is kept. The rest holds a batch: it must not overwrite what it replays. */
export const KEPT_SHARE = 1 / 3;

/** Bytes of a ring, for those of the answers that it keeps. */
export function answerRingBytes(answerBytes: number): number {
  return Math.max(answerBytes, ANSWER_BYTES_MIN) * 1.5;
}

/** Initial capacity in transactions, a power of two. */
export const TRANSACTIONS_AT_FIRST = 4096;

/** INVITEs of a shard that wait for their ACK, a power of two. Beyond it, a lost answer is sent again when the client repeats its INVITE. */
export const INVITES_MAX = 16_384;
