// Bindings that sleep: their way is closed or their time is over, and a push can wake the device (RFC 8599). They are no targets; they are
// kept for lookups to wake, and for the device to take up again.
// @hot

import type { Writer } from '../../sip/writer.ts';
import { expiresAtOf, hasFlag, imageLength, nodeOf } from './binding.ts';
import { FLAGS, IMAGE_ASLEEP, IMAGE_PUSH } from './image-layout.ts';
import { type FlowLiveness, isCutOff, ownFlow } from './live-flow.ts';

/** In place of milliseconds: nothing is kept asleep. */
export const KEPT_NEVER = -1;

/**
 * Whether the binding is kept although it may be no target: it has a device to wake, and has not been asleep for too long.
 * @param dormantMs how long a binding is kept behind its expiry; KEPT_NEVER: no push service is served
 */
export function mayBeAsleep(bytes: Uint8Array, image: number, now: number, dormantMs: number): boolean {
  return dormantMs >= 0 && hasFlag(bytes, image, IMAGE_PUSH) && now < expiresAtOf(bytes, image) + dormantMs;
}

/** Whether a push is what leads to the binding now. @param flows null: no connection is held here */
export function isAsleep(
  bytes: Uint8Array,
  image: number,
  now: number,
  dormantMs: number,
  flows: FlowLiveness | null,
): boolean {
  if (!mayBeAsleep(bytes, image, now, dormantMs)) return false;
  if (hasFlag(bytes, image, IMAGE_ASLEEP) || expiresAtOf(bytes, image) <= now) return true;
  const flow = ownFlow(bytes, image);
  return flow !== 0 && flows !== null && !flows.isAlive(flow, nodeOf(bytes, image));
}

/** Whether the binding, which is kept, waits for its device to take it up again: parked, asleep, or run out and not yet marked as asleep. */
export function isParked(bytes: Uint8Array, image: number, now: number, flows: FlowLiveness | null): boolean {
  return hasFlag(bytes, image, IMAGE_ASLEEP) || expiresAtOf(bytes, image) <= now || isCutOff(bytes, image, flows);
}

/** Whether the world has been told that the binding has ended. */
export function isToldAsEnded(bytes: Uint8Array, image: number): boolean {
  return hasFlag(bytes, image, IMAGE_ASLEEP);
}

/** Copies an image as one that sleeps. */
export function copyAsleep(w: Writer, bytes: Uint8Array, image: number): void {
  const { at } = w;
  w.span(bytes, image, image + imageLength(bytes, image));
  if (!w.overflow) w.bytes[at + FLAGS] |= IMAGE_ASLEEP;
}
