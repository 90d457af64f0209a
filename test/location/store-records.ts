// Records for the tests of location stores. No test framework here: child processes use it too.

import type { LocationStore } from '../../src/location/location-store.ts';
import { RECORD_HEADER_BYTES, sealRecord, setRecordAorLength } from '../../src/location/record.ts';
import type { WriteSet } from '../../src/location/write-set.ts';

/** Words of the key of AOR number n. */
export function keyWords(n: number): [number, number, number, number] {
  return [Math.imul(n + 1, 0x9e3779b1) >>> 0, n, Math.imul(n + 1, 0x85ebca77) >>> 0, 7];
}

export function keyOf(n: number): Uint8Array {
  return new Uint8Array(Uint32Array.from(keyWords(n)).buffer);
}

/** Seals a record of whole words as the program of a version has done it. */
export function sealAs(version: number, record: Uint8Array): void {
  record[0] = version;
  const view = new DataView(record.buffer, record.byteOffset, record.length);
  let sum = 0x811c9dc5 ^ record.length;
  const step = (word: number) => {
    sum = Math.imul(sum ^ word, 0x9e3779b1);
    sum ^= sum >>> 15;
  };
  for (let at = 0; at < record.length; at += 4) if (at !== 4) step(view.getInt32(at, true));
  step(0);
  view.setInt32(4, sum, true);
}

/** Adds a sealed record whose images are `size` bytes derived from `text`. */
export function putRecord(writes: WriteSet, n: number, text: string, size = 100, seal = sealRecord): void {
  const at = writes.reserve(RECORD_HEADER_BYTES + size);
  const aor = Buffer.from(text);
  writes.bytes.fill(0, at, at + RECORD_HEADER_BYTES + size);
  writes.bytes.fill(aor, at + RECORD_HEADER_BYTES, at + RECORD_HEADER_BYTES + size);
  setRecordAorLength(writes.bytes, at, Math.min(aor.length, size));
  seal(writes.bytes, at, at + RECORD_HEADER_BYTES + size);
  const [k0, k1, k2, k3] = keyWords(n);
  writes.put(k0, k1, k2, k3, RECORD_HEADER_BYTES + size);
}

export function textOf(store: LocationStore, n: number, into: Uint8Array = new Uint8Array(65_536)): Buffer | undefined {
  const length = store.load(keyOf(n), into);
  return length < 0 ? undefined : Buffer.from(into.subarray(RECORD_HEADER_BYTES, length));
}
