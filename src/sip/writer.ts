// Writes messages and records into the caller's memory: bytes, spans, constants, numbers. It never allocates
// and never writes at `limit` or beyond. It knows no grammar.
// @hot

/** Minimum length of a copy inside one buffer that is left to the engine. */
const COPY_MIN = 96;

/** The bytes of an ASCII constant; for module level, not per message. */
export function ascii(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i) & 0x7f;
  return bytes;
}

/**
 * A part that does not fit is not written at all, and `overflow` stays true from then on: check it once, at the end. After an
 * overflow no more is written, so that the written part is a clean beginning.
 */
export class Writer {
  bytes: Uint8Array = new Uint8Array(0);
  /** Offset where writing started. */
  from = 0;
  /** Offset of the next byte. */
  at = 0;
  /** Offset behind the last byte that may be written. */
  limit = 0;
  overflow = false;

  /** Starts writing into bytes[at, limit). */
  start(bytes: Uint8Array, at: number, limit: number): void {
    this.bytes = bytes;
    this.from = at;
    this.at = at;
    this.limit = Math.min(limit, bytes.length);
    this.overflow = false;
  }

  byte(value: number): void {
    if (this.fits(1)) this.bytes[this.at++] = value;
  }

  /** Writes a whole array, usually a constant made by `ascii`. */
  text(constant: Uint8Array): void {
    const length = constant.length;
    if (!this.fits(length)) return;
    const { bytes, at } = this;
    for (let i = 0; i < length; i++) bytes[at + i] = constant[i];
    this.at = at + length;
  }

  /** Writes source[at, end); nothing where the span is absent or empty. */
  span(source: Uint8Array, at: number, end: number): void {
    const length = end - at;
    if (length <= 0 || !this.fits(length)) return;
    const bytes = this.bytes;
    const to = this.at;
    if (length >= COPY_MIN && source === bytes) bytes.copyWithin(to, at, end);
    else for (let i = 0; i < length; i++) bytes[to + i] = source[at + i];
    this.at = to + length;
  }

  /** Writes a whole number from 0 to 2^53 - 1 in decimal digits. */
  number(value: number): void {
    let digits = 1;
    for (let bound = 10; bound <= value; bound *= 10) digits++;
    if (!this.fits(digits)) return;
    const bytes = this.bytes;
    let rest = value;
    for (let i = this.at + digits - 1; i >= this.at; i--) {
      const tenth = Math.floor(rest / 10);
      bytes[i] = 0x30 + (rest - tenth * 10);
      rest = tenth;
    }
    this.at += digits;
  }

  /** Writes a whole array by the engine: for a long one with an existing view. */
  copy(source: Uint8Array): void {
    const length = source.length;
    if (!this.fits(length)) return;
    this.bytes.set(source, this.at);
    this.at += length;
  }

  /** Moves behind bytes up to `end` that another writer has written, perhaps beyond the limit: then they count as not written. */
  advance(end: number): void {
    if (this.fits(end - this.at)) this.at = end;
  }

  /** Skips `length` bytes that the caller fills in. */
  skip(length: number): void {
    if (this.fits(length)) this.at += length;
  }

  private fits(length: number): boolean {
    if (!this.overflow && this.at + length <= this.limit) return true;
    this.overflow = true;
    return false;
  }
}
