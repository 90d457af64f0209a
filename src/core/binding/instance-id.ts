// Instance IDs (RFC 5626 §4.1): their position in a Contact of the request in the table, and their equality.
// @hot

import { slab, table } from '../../sip/parser/slab.ts';
import { CONTACT_INSTANCE_AT, CONTACT_INSTANCE_END } from '../../sip/parser/span-table.ts';
import { COLON, GREATER, isText, LESS, sameBytes, sameText } from '../../sip/scanner.ts';
import { ascii } from '../../sip/writer.ts';

const URN = ascii('urn:');
const UUID = ascii('urn:uuid:');

/** Start of a Contact's instance ID, behind its quote and bracket. A value without brackets is none. */
export function contactInstanceAt(contact: number): number {
  return table[contact + CONTACT_INSTANCE_AT] + 1;
}

/** End of a Contact's instance ID, before its bracket; contactInstanceAt where it has none. */
export function contactInstanceEnd(contact: number): number {
  const at = table[contact + CONTACT_INSTANCE_AT];
  if (at < 0) return at + 1;
  const end = table[contact + CONTACT_INSTANCE_END];
  return end - at > 2 && slab[at] === LESS && slab[end - 1] === GREATER ? end - 1 : at + 1;
}

/** Whether a Contact has an instance ID. */
export function hasInstance(contact: number): boolean {
  return contactInstanceEnd(contact) > contactInstanceAt(contact);
}

/**
 * Whether a[aAt, aEnd) and b[bAt, bEnd) are equal as URNs. A UUID is compared without regard to case (RFC 9562 §4); in another URN only
 * the scheme and the namespace are (RFC 8141 §3.1). An ID that is no URN is compared byte by byte.
 */
export function sameInstance(
  a: Uint8Array,
  aAt: number,
  aEnd: number,
  b: Uint8Array,
  bAt: number,
  bEnd: number,
): boolean {
  if (sameBytes(a, aAt, aEnd, b, bAt, bEnd)) return true;
  const folded = foldedLength(a, aAt, aEnd);
  if (folded === 0 || aEnd - aAt !== bEnd - bAt) return false;
  return (
    sameText(a, aAt, aAt + folded, b, bAt, bAt + folded) && sameBytes(a, aAt + folded, aEnd, b, bAt + folded, bEnd)
  );
}

/** Number of leading bytes without case: all of a UUID, "urn:namespace:" of another URN, none of any other text. */
export function foldedLength(bytes: Uint8Array, at: number, end: number): number {
  if (end - at > UUID.length && isText(bytes, at, at + UUID.length, UUID)) return end - at;
  if (end - at <= URN.length || !isText(bytes, at, at + URN.length, URN)) return 0;
  let p = at + URN.length;
  while (p < end && bytes[p] !== COLON) p++;
  return p - at;
}
