// Sleeping bindings: their connection has closed or their time is over, but a push can wake the device (RFC 8599). They are no targets.
// They are kept so that lookups can wake the device, and so that the device can take its binding up again.
// @hot

import type { Writer } from '../../sip/writer.ts';
import { expiresAtOf, hasFlag, imageLength, nodeOf } from './binding.ts';
import { FLAGS, IMAGE_ASLEEP, IMAGE_PUSH } from './image-layout.ts';
import { type FlowLiveness, isCutOff, ownFlow } from './live-flow.ts';

/** In place of milliseconds: sleeping bindings are not kept. */
export const KEPT_NEVER = -1;

/**
 * Whether the binding is kept although it may be no target: it has a device to wake, and has not slept for too long.
 * @param dormantMs time that a binding is kept after its expiry; KEPT_NEVER: no push service is served
 */
export function mayBeAsleep(bytes: Uint8Array, image: number, now: number, dormantMs: number): boolean {
  return dormantMs >= 0 && hasFlag(bytes, image, IMAGE_PUSH) && now < expiresAtOf(bytes, image) + dormantMs;
}

/** Whether the binding is reached by a push now. @param flows null: this process holds no connections */
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

/** Whether a kept binding waits for its device to take it up again: parked, asleep, or expired and not yet marked as asleep. */
export function isParked(bytes: Uint8Array, image: number, now: number, flows: FlowLiveness | null): boolean {
  return hasFlag(bytes, image, IMAGE_ASLEEP) || expiresAtOf(bytes, image) <= now || isCutOff(bytes, image, flows);
}

/** Whether listeners have been told that the binding has ended. */
export function isToldAsEnded(bytes: Uint8Array, image: number): boolean {
  return hasFlag(bytes, image, IMAGE_ASLEEP);
}

/** Copies an image, marking it as asleep. */
export function copyAsleep(w: Writer, bytes: Uint8Array, image: number): void {
  const { at } = w;
  w.span(bytes, image, image + imageLength(bytes, image));
  if (!w.overflow) w.bytes[at + FLAGS] |= IMAGE_ASLEEP;
}
