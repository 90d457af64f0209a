// AORs of a simulated store by number: their keys, many of which share a tag, and their records.

import { RECORD_HEADER_BYTES, sealRecord, setRecordAorLength } from '../../src/location/record.ts';
import type { WriteSet } from '../../src/location/write-set.ts';

/** Bytes of an image that a refresh writes to. */
const IMAGE_BYTES = 64;
const TAGS = 7;

/** The second word is the number. */
export function keyWords(n: number): [number, number, number, number] {
  return [Math.imul(n + 1, 0x9e3779b1) >>> 0, n, Math.imul((n % TAGS) + 1, 0x85ebca77) >>> 0, 7];
}

const keys = new Map<number, Uint8Array>();

export function keyBytes(n: number): Uint8Array {
  let key = keys.get(n);
  if (key === undefined) {
    key = new Uint8Array(Uint32Array.from(keyWords(n)).buffer);
    keys.set(n, key);
  }
  return key;
}

/** A sealed record whose AOR is `text`, and whose image has `more` bytes than one must have. */
export function putRecord(writes: WriteSet, n: number, text: string, more: number): void {
  const size = RECORD_HEADER_BYTES + text.length + IMAGE_BYTES + more;
  const at = writes.reserve(size);
  writes.bytes.fill(n, at, at + size);
  writes.bytes.write(text, at + RECORD_HEADER_BYTES, 'latin1');
  setRecordAorLength(writes.bytes, at, text.length);
  sealRecord(writes.bytes, at, at + size);
  const [k0, k1, k2, k3] = keyWords(n);
  writes.put(k0, k1, k2, k3, size);
}
