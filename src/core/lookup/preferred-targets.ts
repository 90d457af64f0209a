// A caller's preferences (RFC 3841), applied to the targets of a lookup: excluded ones are removed, the others are reordered. Only for
// requests with preferences, and for contacts that list their methods or events.

import { paramsEnd, qOf, uriEnd } from '../binding/binding.ts';
import { type CallerPreferences, type Candidate, orderByPreferences } from './caller-preferences.ts';
import type { Targets } from './targets.ts';

/** @param bytes the bytes of the targets' images */
export function applyPreferences(targets: Targets, bytes: Uint8Array, preferences: CallerPreferences): void {
  targets.count = reorder(targets.image, targets.count, bytes, preferences);
  targets.fallbacks = reorder(targets.fallback, targets.fallbacks, bytes, preferences);
}

function reorder(images: Int32Array, count: number, bytes: Uint8Array, preferences: CallerPreferences): number {
  const before = images.slice(0, count);
  const order = orderByPreferences(
    Array.from(before, (image) => candidateOf(bytes, image)),
    preferences,
  );
  for (const [place, index] of order.entries()) images[place] = before[index];
  return order.length;
}

function candidateOf(bytes: Uint8Array, image: number): Candidate {
  const params = Buffer.from(
    bytes.buffer,
    bytes.byteOffset + uriEnd(bytes, image),
    paramsEnd(bytes, image) - uriEnd(bytes, image),
  );
  return { q: qOf(bytes, image), params: params.toString('latin1') };
}
