// The one fixed memory that messages are parsed in: the slab the kernel receives into, cut in slots.
// Here: its size, its slots and nothing else. It never grows and never moves (addresses of it are handed to the kernel).

/** The largest message a slot takes, in bytes: the largest UDP payload (RFC 3261 §18.1.1 asks for 65,535 with headers). */
export const MESSAGE_BYTES_MAX = 65_535;

/**
 * Distance between slots. The 193 bytes behind the largest message keep scanners inside the slot; being no multiple
 * of a page they also spread the first lines of the slots over the cache sets.
 */
export const SLOT_BYTES = 65_536 + 192;

/** Slots: the largest batch. */
export const SLOT_COUNT = 256;

/** The memory itself; one per thread, since every thread loads its own copy of this module. */
export const slab = new Uint8Array(new ArrayBuffer(SLOT_BYTES * SLOT_COUNT));

/** Offset of a slot's first byte in the slab. */
export function slotStart(slot: number): number {
  return slot * SLOT_BYTES;
}
