// Walks over the images of one AOR's bindings, back to back in bytes[at, end). Reading and copying only. @hot

import type { Writer } from '../../sip/writer.ts';
import { expiresAtOf, highestNcOf, imageLength, isImage } from './binding.ts';
import type { FlowLiveness } from './live-flow.ts';
import { isTarget } from './target.ts';

/** How many there are, or -1 where the bytes are no sequence of images. */
export function countImages(bytes: Uint8Array, at: number, end: number): number {
  let count = 0;
  for (let image = at; image < end; image += imageLength(bytes, image)) {
    if (!isImage(bytes, image, end)) return -1;
    count++;
  }
  return count;
}

/** When the first of them runs out, epoch ms; a time past where one has, 0 where there is none. */
export function firstExpiry(bytes: Uint8Array, at: number, end: number): number {
  let first = 0;
  for (let image = at; image < end; image += imageLength(bytes, image)) {
    const expiresAt = expiresAtOf(bytes, image);
    if (first === 0 || expiresAt < first) first = expiresAt;
  }
  return first;
}

/** Whether any of them is a target at `now`. */
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

/** The highest nc that any of them names for a nonce, or -1. */
export function highestNc(bytes: Uint8Array, at: number, end: number, idHigh: number, idLow: number): number {
  let highest = -1;
  for (let image = at; image < end; image += imageLength(bytes, image)) {
    const nc = highestNcOf(bytes, image, idHigh, idLow);
    if (nc > highest) highest = nc;
  }
  return highest;
}

/** Copies those that have not run out, whether or not their connection stands; returns how many. */
export function copyLiveImages(w: Writer, bytes: Uint8Array, at: number, end: number, now: number): number {
  let count = 0;
  for (let image = at; image < end; image += imageLength(bytes, image)) {
    if (!isTarget(bytes, image, now, null)) continue;
    w.span(bytes, image, image + imageLength(bytes, image));
    count++;
  }
  return count;
}
