// The one fixed memory that messages are parsed in: the slab that the kernel receives into, cut in slots, and behind it the
// parser's working memory, with the span table (memory-map.ts). It never grows and never moves: the kernel
// has addresses of it, and views of it would detach.

import { MEMORY_PAGES, TABLE_ADDRESS } from './memory-map.ts';
import { TABLE_INTS } from './span-table.ts';
import { fixedMemory } from './webassembly.ts';

/** The largest message of a slot, in bytes: above any UDP payload (RFC 3261 §18.1.1 asks for 65,535 with IP and UDP headers). */
export const MESSAGE_BYTES_MAX = 65_535;

/**
 * Distance between slots. The 193 bytes behind the largest message keep scanners inside the slot; being no multiple
 * of a page they also spread the first lines of the slots over the cache sets.
 */
export const SLOT_BYTES = 65_536 + 192;

/** Slots: the largest batch. */
export const SLOT_COUNT = 512;

/** The memory itself; one per thread, since every thread loads its own copy of this module. */
export const memory = fixedMemory(MEMORY_PAGES);

/** The slots. They start at address 0 of the memory, so that offsets in the slab are addresses too. */
export const slab = new Uint8Array(memory.buffer, 0, SLOT_BYTES * SLOT_COUNT);

/** The span table of this thread (span-table.ts): the parser overwrites it with every message. */
export const table = new Int32Array(memory.buffer, TABLE_ADDRESS, TABLE_INTS);

/** Offset of a slot's first byte in the slab. */
export function slotStart(slot: number): number {
  return slot * SLOT_BYTES;
}

/** Whether a program's argument is bytes, from any realm: a text or a list would be read as zeros. */
export function isBytes(given: unknown): given is Uint8Array {
  return ArrayBuffer.isView(given) && 'BYTES_PER_ELEMENT' in given && given.BYTES_PER_ELEMENT === 1;
}
