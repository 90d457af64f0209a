// Walks over the images of one AOR's bindings, back to back in bytes[at, end). Reading and copying only. @hot

import { expiresAtOf, hasFlag, highestNcOf, imageLength, isImage } from './binding.ts';
import { IMAGE_ASLEEP } from './image-layout.ts';
import type { FlowLiveness } from './live-flow.ts';
import { isTarget } from './target.ts';

/** Number of images, or -1 where the bytes are no sequence of images. */
export function countImages(bytes: Uint8Array, at: number, end: number): number {
  let count = 0;
  for (let image = at; image < end; image += imageLength(bytes, image)) {
    if (!isImage(bytes, image, end)) return -1;
    count++;
  }
  return count;
}

/**
 * Earliest removal of an image, epoch ms; in the past if it is overdue, 0 without images.
 * @param dormantMs time that sleeping bindings are kept after their expiry; negative: they are not kept
 */
export function firstExpiry(bytes: Uint8Array, at: number, end: number, dormantMs: number): number {
  let first = 0;
  for (let image = at; image < end; image += imageLength(bytes, image)) {
    const keptMs = dormantMs > 0 && hasFlag(bytes, image, IMAGE_ASLEEP) ? dormantMs : 0;
    const leavesAt = expiresAtOf(bytes, image) + keptMs;
    if (first === 0 || leavesAt < first) first = leavesAt;
  }
  return first;
}

/** Whether any image is a target at `now`. */
export function hasLiveImage(
  bytes: Uint8Array,
  at: number,
  end: number,
  now: number,
  flows: FlowLiveness | null,
): boolean {
  for (let image = at; image < end; image += imageLength(bytes, image))
    if (isTarget(bytes, image, now, flows)) return true;
  return false;
}

/** The highest nc in any image for a nonce, or -1. */
export function highestNc(bytes: Uint8Array, at: number, end: number, idHigh: number, idLow: number): number {
  let highest = -1;
  for (let image = at; image < end; image += imageLength(bytes, image)) {
    const nc = highestNcOf(bytes, image, idHigh, idLow);
    if (nc > highest) highest = nc;
  }
  return highest;
}
