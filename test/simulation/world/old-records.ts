// Records as the version before wrote them, of version 2: a byte of each image, where a node's number is now, meant nothing.

import { imageLength } from '../../../src/core/binding/binding.ts';
import { RECORD_HEADER_BYTES, recordAorLength } from '../../../src/location/record.ts';
import type { WriteSet } from '../../../src/location/write-set.ts';

const SPARE = 53;

/** Makes the batch's records those of version 2. @param spare what its spare bytes hold */
export function makeOld({ bytes, count, at, end }: WriteSet, spare: number): void {
  for (let entry = 0; entry < count; entry++) {
    if (end[entry] <= at[entry]) continue;
    const images = at[entry] + RECORD_HEADER_BYTES + recordAorLength(bytes, at[entry]);
    for (let image = images; image < end[entry]; image += imageLength(bytes, image)) bytes[image + SPARE] = spare;
    bytes[at[entry]] = 2;
    bytes.writeInt32LE(checksum(bytes.subarray(at[entry], end[entry])), at[entry] + 4);
  }
}

function checksum(record: Buffer): number {
  let sum = 0x811c9dc5 ^ record.length;
  const step = (word: number) => {
    sum = Math.imul(sum ^ word, 0x9e3779b1);
    sum ^= sum >>> 15;
  };
  const whole = record.length & ~3;
  for (let i = 0; i < whole; i += 4) if (i !== 4) step(record.readInt32LE(i));
  let rest = 0;
  for (let i = whole; i < record.length; i++) rest |= record[i] << (8 * (i - whole));
  step(rest);
  return sum;
}
