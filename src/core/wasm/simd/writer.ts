// AssemblyScript: the entry of the registrar's module, compiled to WebAssembly by scripts/wasm.js. It writes images and answers of a
// registrar; its callers in TypeScript decide about their content (request-module.ts).

import { hashFinish, hashStart } from '../../../sip/simd/siphash.ts';
import { HASH_OUT } from '../../../sip/parser/memory-map.ts';
import { KEPT, LENGTH } from '../../binding/image-layout.ts';
import { IMAGE, IN_IDENTITY, IN_IDENTITY_KEY } from '../module-memory.ts';
import { contact, end, extensions, frame, refreshed } from './answer.ts';
import { publicGruu } from './gruu.ts';
import { image } from './image.ts';
import { hashAor, hashRequest, hashRequestAs } from './keys.ts';
import { told } from './table.ts';

export { contact, end, extensions, frame, image, publicGruu, hashAor, hashRequest, hashRequestAs };

/** Leaves the keyed hash of the kept part of the image at IMAGE at HASH_OUT. */
export function identity(k0: i32, k1: i32, k2: i32, k3: i32): void {
  const kept = IMAGE + KEPT;
  const imageEnd = IMAGE + <i32>load<u16>(IMAGE, LENGTH);
  hashStart(k0, k1, k2, k3);
  hashFinish(kept, imageEnd, imageEnd - kept, 1, 3);
}

/** Maximum length of an image, as LENGTH can hold it. */
const LENGTH_MAX: i32 = 0xffff;

/**
 * Writes the image of the contact whose record is at `record` of the table, and, if it equals the binding's, the 200 at ANSWER, up to
 * the domain's rows. Returns its end; 0 where the request would change the binding's kept part.
 * @param shows SHOWS_*
 */
export function refresh(
  record: i32,
  flags: i32,
  regId: i32,
  instanceAt: i32,
  instanceEnd: i32,
  expiresAt: f64,
  now: f64,
  nonceId: i32,
  nonceCount: i32,
  shows: i32,
  flowTimer: i32,
): i32 {
  const length = image(record, flags, regId, instanceAt, instanceEnd, expiresAt, now, now, nonceId, nonceCount, 0);
  if (length > LENGTH_MAX) return 0; // no store keeps such a record
  identity(told(IN_IDENTITY_KEY), told(IN_IDENTITY_KEY + 1), told(IN_IDENTITY_KEY + 2), told(IN_IDENTITY_KEY + 3));
  if (load<i32>(HASH_OUT) != told(IN_IDENTITY) || (load<i32>(HASH_OUT, 4) | 1) != told(IN_IDENTITY + 1)) return 0;
  return refreshed(shows, flowTimer);
}
