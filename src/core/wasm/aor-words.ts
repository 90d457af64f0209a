// Inputs of the module for GRUUs: the AOR, and the keys that seal them.
// @hot

import { ascii } from '../../sip/writer.ts';
import { GRUU_INSTANCE_BYTES_MAX } from '../binding/image-layout.ts';
import {
  IN_AOR_KEY,
  IN_AOR_LENGTH,
  IN_CODE_KEY,
  IN_STREAM_KEY,
  PLAIN_IN_USER,
  PLAIN_IN_VALUE,
  SPELLED,
} from './module-memory.ts';
import { moduleBytes, requestModule, aorText as theAorText, toldWords } from './request-module.ts';

// Constants of this module: V8 compiles them in, while it loads an import each time it is used.
const told = toldWords;
const aorText = theAorText;

/** Keys of temporary GRUUs, four words each. */
export interface SealingKeys {
  readonly codeWords: Int32Array;
  readonly streamWords: Int32Array;
}

moduleBytes.set(characters("-_.!~*'()&=+$,;?/"), PLAIN_IN_USER);
moduleBytes.set(characters("-_.!~*'()[]/:&+$"), PLAIN_IN_VALUE);

/** RFC 3261 §25.1, by byte: 1 for characters that need no escape in a user part, or in a parameter's value. @cold */
function characters(marks: string): Uint8Array {
  const set = new Uint8Array(256);
  for (const byte of ascii(`ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789${marks}`)) set[byte] = 1;
  return set;
}

/** The keys that the module has. */
const has: { keys: SealingKeys | null } = { keys: null };

/** @param aor canonical @param aorKey four words */
export function tellAor(aor: Uint8Array, aorLength: number, aorKey: Uint32Array, keys: SealingKeys): void {
  tellName(aor, aorLength);
  for (let i = 0; i < 4; i++) told[IN_AOR_KEY + i] = aorKey[i];
  if (has.keys !== keys) tellKeys(keys);
}

function tellName(aor: Uint8Array, length: number): void {
  told[IN_AOR_LENGTH] = length;
  if (aor !== aorText) for (let i = 0; i < length; i++) aorText[i] = aor[i];
}

/** @cold */
function tellKeys(keys: SealingKeys): void {
  told.set(keys.codeWords, IN_CODE_KEY);
  told.set(keys.streamWords, IN_STREAM_KEY);
  has.keys = keys;
}

/** The public GRUU of the instance bytes[at, end), for a canonical AOR; valid until the next call. @cold */
export function publicGruu(aor: Uint8Array, sips: boolean, bytes: Uint8Array, at: number, end: number): Uint8Array {
  tellName(aor, aor.length);
  moduleBytes.set(bytes.subarray(at, end), SPELLED);
  const to = SPELLED + GRUU_INSTANCE_BYTES_MAX;
  return moduleBytes.subarray(to, requestModule.publicGruu(to, sips ? 1 : 0, SPELLED, SPELLED + end - at));
}
