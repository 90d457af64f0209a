// Bindings of a record, read as the model has them.

import {
  callIdEnd,
  cseqOf,
  expiresAtOf,
  hasFlag,
  imageLength,
  paramsEnd,
  uriAt,
  uriEnd,
} from '../../../src/core/binding/binding.ts';
import { IMAGE_ASLEEP, IMAGE_PUSH } from '../../../src/core/binding/image-layout.ts';
import { lifelineKey } from '../../../src/core/binding/live-flow.ts';
import { RECORD_HEADER_BYTES, recordAorLength } from '../../../src/location/record.ts';
import { deviceIn } from './phone.ts';
import type { Bound } from './registrations.ts';

/** Of the record in bytes[at, end). */
export function boundIn(bytes: Buffer, at: number, end: number): Bound[] {
  const found: Bound[] = [];
  for (
    let image = at + RECORD_HEADER_BYTES + recordAorLength(bytes, at);
    image < end;
    image += imageLength(bytes, image)
  ) {
    const contact = bytes.toString('latin1', uriAt(bytes, image), uriEnd(bytes, image));
    found.push({
      contact,
      callId: bytes.toString('latin1', paramsEnd(bytes, image), callIdEnd(bytes, image)),
      cseq: cseqOf(bytes, image),
      expiresAt: expiresAtOf(bytes, image),
      flow: lifelineKey(bytes, image),
      device: hasFlag(bytes, image, IMAGE_PUSH) ? deviceIn(contact) : '',
      isAsleep: hasFlag(bytes, image, IMAGE_ASLEEP),
    });
  }
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
    one.flow === other.flow &&
    one.device === other.device &&
    one.isAsleep === other.isAsleep
  );
}

export function textOf(bindings: readonly Bound[]): string {
  return bindings
    .map(
      ({ contact, callId, cseq, expiresAt, flow, device, isAsleep }) =>
        `${contact} ${callId} ${cseq} ${expiresAt} ${flow}${device === '' ? '' : ` wakes ${device}`}${isAsleep ? ' asleep' : ''}`,
    )
    .sort()
    .join('; ');
}
