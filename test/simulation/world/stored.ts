// Bindings of a record, read as the model has them.

import {
  callIdEnd,
  cseqOf,
  expiresAtOf,
  imageLength,
  paramsEnd,
  uriAt,
  uriEnd,
} from '../../../src/core/binding/binding.ts';
import { lifelineKey } from '../../../src/core/binding/live-flow.ts';
import { RECORD_HEADER_BYTES, recordAorLength } from '../../../src/location/record.ts';
import type { Bound } from './registrations.ts';

/** Of the record in bytes[at, end). */
export function boundIn(bytes: Buffer, at: number, end: number): Bound[] {
  const found: Bound[] = [];
  for (
    let image = at + RECORD_HEADER_BYTES + recordAorLength(bytes, at);
    image < end;
    image += imageLength(bytes, image)
  )
    found.push({
      contact: bytes.toString('latin1', uriAt(bytes, image), uriEnd(bytes, image)),
      callId: bytes.toString('latin1', paramsEnd(bytes, image), callIdEnd(bytes, image)),
      cseq: cseqOf(bytes, image),
      expiresAt: expiresAtOf(bytes, image),
      flow: lifelineKey(bytes, image),
    });
  return found;
}

/** Whether two lists have the same bindings, in any order. */
export function areSame(these: readonly Bound[], those: readonly Bound[]): boolean {
  if (these.length !== those.length) return false;
  if (these.every((one, i) => isSame(one, those[i]))) return true;
  return textOf(these) === textOf(those);
}

function isSame(one: Bound, other: Bound): boolean {
  return (
    one.contact === other.contact &&
    one.callId === other.callId &&
    one.cseq === other.cseq &&
    one.expiresAt === other.expiresAt &&
    one.flow === other.flow
  );
}

export function textOf(bindings: readonly Bound[]): string {
  return bindings
    .map(({ contact, callId, cseq, expiresAt, flow }) => `${contact} ${callId} ${cseq} ${expiresAt} ${flow}`)
    .sort()
    .join('; ');
}
