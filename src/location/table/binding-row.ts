// The row of one AOR in the binding table: the layout of its 16 words (decisions/0040), and a copy of a row for table,
// log and registrar. binding-table stores and finds rows. @hot

import type { PlainBinding } from '../../core/binding/plain-binding.ts';

export const ROW_WORDS = 16;
/** Words that a record entry of the log carries. */
export const ROW_KEPT_WORDS = 12;
/** Four words. */
export const ROW_KEY = 0;
/** Two words; zeros: the row is not plain. */
export const ROW_IDENTITY = 4;
/** Two words, see expiresAtOf. */
export const ROW_EXPIRES = 6;
export const ROW_CSEQ = 8;
export const ROW_EPOCH = 9;
/** Two words: id, highest nc. */
export const ROW_NONCE = 10;
/** Two words, see placeOf; the number of bindings is in the top of the second. */
export const ROW_PLACE = 12;
/** Two words. */
export const ROW_LINKS = 14;

const GRANTED_BITS = 22;
/** Seconds; bindings granted more are never plain. */
export const GRANTED_MAX_S = (1 << GRANTED_BITS) - 1;
const PLACE_BITS = 26;
/** Largest number of bindings that a row can count. */
export const COUNTED_MAX = 63;

/** Epoch ms, of the two words at `at`. */
export function expiresAtOf(words: Uint32Array, at: number): number {
  return (words[at + 1] >>> GRANTED_BITS) * 4294967296 + words[at];
}

/** Seconds, of the two words at `at`; 0 where the row is not plain. */
export function grantedOf(words: Uint32Array, at: number): number {
  return words[at + 1] & GRANTED_MAX_S;
}

export function setExpires(words: Uint32Array, at: number, expiresAt: number, grantedS: number): void {
  words[at] = expiresAt % 4294967296;
  words[at + 1] = (Math.floor(expiresAt / 4294967296) << GRANTED_BITS) | grantedS;
}

/** Place in the log, of the two words at `at`. */
export function placeOf(words: Uint32Array, at: number): number {
  return ((words[at + 1] & ((1 << PLACE_BITS) - 1)) * 4294967296 + words[at]) * 8;
}

export function bindingsOf(words: Uint32Array, at: number): number {
  return words[at + 1] >>> PLACE_BITS;
}

export function setPlace(words: Uint32Array, at: number, place: number, bindings: number): void {
  const units = place / 8;
  words[at] = units % 4294967296;
  words[at + 1] = Math.floor(units / 4294967296) | (bindings << PLACE_BITS);
}

/** The fields of a row, for code without a table: filled by `LocationStore.find`. */
export class RowCopy implements PlainBinding {
  /** Row number; valid until the next commit. */
  row = -1;
  bindings = 0;
  identityHigh = 0;
  identityLow = 0;
  /** Epoch ms; in a row that is not plain, that of the binding that ends first. */
  expiresAt = 0;
  grantedS = 0;
  cseq = 0;
  epoch = 0;
  nonceId = 0;
  highestNc = 0;

  /** Exactly one binding, whose changing fields the row has. */
  get plain(): boolean {
    return (this.identityHigh | this.identityLow) !== 0;
  }

  /** Copies the words of a row at `at`. */
  copyFrom(words: Uint32Array, at: number, row: number): void {
    this.row = row;
    this.bindings = bindingsOf(words, at + ROW_PLACE);
    this.identityHigh = words[at + ROW_IDENTITY];
    this.identityLow = words[at + ROW_IDENTITY + 1];
    this.expiresAt = expiresAtOf(words, at + ROW_EXPIRES);
    this.grantedS = grantedOf(words, at + ROW_EXPIRES);
    this.cseq = words[at + ROW_CSEQ];
    this.epoch = words[at + ROW_EPOCH];
    this.nonceId = words[at + ROW_NONCE];
    this.highestNc = words[at + ROW_NONCE + 1];
  }

  /** Copies the fields of another one. */
  copy(from: RowCopy): void {
    this.row = from.row;
    this.bindings = from.bindings;
    this.identityHigh = from.identityHigh;
    this.identityLow = from.identityLow;
    this.expiresAt = from.expiresAt;
    this.grantedS = from.grantedS;
    this.cseq = from.cseq;
    this.epoch = from.epoch;
    this.nonceId = from.nonceId;
    this.highestNc = from.highestNc;
  }
}
