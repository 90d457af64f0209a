// Targets: whether a binding is one, the reason if not, and the newest binding of an instance. The one rule behind lookups by
// SIP, HTTP and programs, the rows of a 200, GRUUs, sweepers and exports (decisions/0062). Reading only.
// @hot

import {
  cseqOf,
  expiresAtOf,
  hasFlag,
  imageLength,
  instanceAt,
  instanceEnd,
  refreshedAtOf,
  regIdOf,
} from './binding.ts';
import { CHANGE_EXPIRED, CHANGE_FLOW_ENDED } from './changes.ts';
import { IMAGE_ASLEEP } from './image-layout.ts';
import { sameInstance } from './instance-id.ts';
import { type FlowLiveness, isCutOff } from './live-flow.ts';

/**
 * The reason that has ended the binding at `now`: CHANGE_EXPIRED or CHANGE_FLOW_ENDED; 0 where it has not ended.
 * @param flows null: connections are ignored
 */
export function endedBy(bytes: Uint8Array, image: number, now: number, flows: FlowLiveness | null): number {
  if (expiresAtOf(bytes, image) <= now) return CHANGE_EXPIRED;
  return isCutOff(bytes, image, flows) ? CHANGE_FLOW_ENDED : 0;
}

/** Whether a request may be sent to the binding at `now`. */
export function isTarget(bytes: Uint8Array, image: number, now: number, flows: FlowLiveness | null): boolean {
  return endedBy(bytes, image, now, flows) === 0 && !hasFlag(bytes, image, IMAGE_ASLEEP);
}

/** Whether the image at `a` is newer than that at `b`: by its refresh time, then by its CSeq, then by its place in the record. */
export function isNewer(bytes: Uint8Array, a: number, b: number): boolean {
  const later = refreshedAtOf(bytes, a) - refreshedAtOf(bytes, b) || cseqOf(bytes, a) - cseqOf(bytes, b);
  return later !== 0 ? later > 0 : a > b;
}

/** Whether the image has the instance ID id[idAt, idEnd). */
export function isOfInstance(bytes: Uint8Array, image: number, id: Uint8Array, idAt: number, idEnd: number): boolean {
  const at = instanceAt(bytes, image);
  const end = instanceEnd(bytes, image);
  return end > at && sameInstance(bytes, at, end, id, idAt, idEnd);
}

/**
 * The newest target with the instance ID id[idAt, idEnd) among the images in bytes[from, to), or -1.
 * @param regId of the flow; 0 for any
 */
export function newestOfInstance(
  bytes: Uint8Array,
  from: number,
  to: number,
  now: number,
  flows: FlowLiveness | null,
  id: Uint8Array,
  idAt: number,
  idEnd: number,
  regId: number,
): number {
  let newest = -1;
  for (let image = from; image < to; image += imageLength(bytes, image)) {
    if (!isTarget(bytes, image, now, flows) || (regId > 0 && regIdOf(bytes, image) !== regId)) continue;
    if (newest >= 0 && !isNewer(bytes, image, newest)) continue;
    if (isOfInstance(bytes, image, id, idAt, idEnd)) newest = image;
  }
  return newest;
}
