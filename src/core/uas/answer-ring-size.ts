// How small the ring of kept answers may be. A file of its own, so that a test may put a smaller number in its place.

import { SLOT_COUNT } from '../../sip/parser/slab.ts';

/** Bytes: a batch of the largest answers must not overwrite one that the batch replays. */
export const ANSWER_RING_BYTES_MIN = 2 * SLOT_COUNT * 65_536;
