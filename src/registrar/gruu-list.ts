// The GRUUs of a contact in a 200 (RFC 5627 §5.2): the public one, and the newest temporary one of its instance.
// @hot

import { ascii } from '../sip/writer.ts';
import {
  cseqOf,
  epochHighOf,
  epochLowOf,
  expiresAtOf,
  imageLength,
  instanceAt,
  instanceEnd,
  refreshedAtOf,
  uriAt,
} from './binding.ts';
import { type Gruus, isGruuInstance } from './gruu.ts';
import { sameInstance } from './instance-id.ts';
import type { Outbox } from './outbox.ts';

const PUB_GRUU = ascii(';pub-gruu="');
const TEMP_GRUU = ascii('";temp-gruu="');
const QUOTE = 0x22;
const LOWER_S = 0x73;
const SCHEME_LETTERS = 3;

/** Writes pub-gruu and temp-gruu of the image at `at`, one of those in bytes[from, to); nothing where it has no GRUUs. */
export function writeGruus(out: Outbox, gruus: Gruus, bytes: Uint8Array, from: number, to: number, at: number): void {
  if (!isGruuInstance(bytes, instanceAt(bytes, at), instanceEnd(bytes, at))) return;
  const { answer, aor, aorLength, aorKey } = out;
  // A sips contact gets the sips GRUU, a sip contact the sip one (RFC 5630 §5.2.1).
  const sips = (bytes[uriAt(bytes, at) + SCHEME_LETTERS] | 0x20) === LOWER_S;
  answer.text(PUB_GRUU);
  gruus.writePublic(answer, aor, aorLength, sips, bytes, at);
  const newest = newestOfInstance(bytes, from, to, at, out.now);
  if ((epochHighOf(bytes, newest) | epochLowOf(bytes, newest)) !== 0) {
    answer.text(TEMP_GRUU);
    gruus.writeTemporary(answer, aor, aorLength, aorKey, sips, bytes, newest);
  }
  answer.byte(QUOTE);
}

/** The live image of the same instance that was registered last. */
function newestOfInstance(bytes: Uint8Array, from: number, to: number, at: number, now: number): number {
  let newest = at;
  for (let other = from; other < to; other += imageLength(bytes, other)) {
    if (other === newest || expiresAtOf(bytes, other) <= now) continue;
    const later = refreshedAtOf(bytes, other) - refreshedAtOf(bytes, newest);
    if (later < 0 || (later === 0 && cseqOf(bytes, other) < cseqOf(bytes, newest))) continue;
    if (
      sameInstance(
        bytes,
        instanceAt(bytes, other),
        instanceEnd(bytes, other),
        bytes,
        instanceAt(bytes, at),
        instanceEnd(bytes, at),
      )
    )
      newest = other;
  }
  return newest;
}
