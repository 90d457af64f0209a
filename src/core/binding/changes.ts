// Changes of bindings, as bytes: a list that each batch collects for listeners, published only after its commit.
// This file has the layout of an entry and its writer; shard/observe/event-ring carries entries, binding-events presents them.
// @hot

import { imageLength } from './binding.ts';

export const CHANGE_REGISTERED = 1;
export const CHANGE_REFRESHED = 2;
/** By its client, with expires 0 or "*". */
export const CHANGE_UNREGISTERED = 3;
export const CHANGE_EXPIRED = 4;
/** The AOR had too many (policy evict-oldest). */
export const CHANGE_EVICTED = 5;
/** The connection of its REGISTER has closed (RFC 5626 §7). */
export const CHANGE_FLOW_ENDED = 6;
/** By an operator. */
export const CHANGE_REMOVED = 7;

// An entry: u32 length of the whole entry, u16 kind, u16 length of the AOR; f64 time (epoch ms), f64 sequence; the AOR's text;
// the binding's image: the new one after a registration or refresh, else the last one. All multiples of 8.
const LENGTH = 0;
const KIND = 4;
const AOR_LENGTH = 6;
const AT = 8;
const SEQUENCE = 16;
const CHANGE_HEADER_BYTES = 24;

/** A listener to changes of bindings. */
export interface ChangeSink {
  /** The change of one binding of an AOR: its image lies at source[image]. */
  add(
    kind: number,
    aor: Uint8Array,
    aorAt: number,
    aorEnd: number,
    source: Uint8Array,
    image: number,
    now: number,
  ): void;
}

/** Entries of one batch, back to back. Grows without a limit of its own: a batch has at most some hundred AORs. */
export class Changes implements ChangeSink {
  count = 0;
  /** Entries: bytes[0, end). */
  bytes = new Uint8Array(16 << 10);
  end = 0;
  private view = new DataView(this.bytes.buffer);

  add(
    kind: number,
    aor: Uint8Array,
    aorAt: number,
    aorEnd: number,
    source: Uint8Array,
    image: number,
    now: number,
  ): void {
    const aorLength = aorEnd - aorAt;
    const length = imageLength(source, image);
    const size = (CHANGE_HEADER_BYTES + aorLength + length + 7) & ~7;
    if (this.end + size > this.bytes.length) this.grow(this.end + size);
    const { bytes, view, end } = this;
    view.setUint32(end + LENGTH, size, true);
    view.setUint16(end + KIND, kind, true);
    view.setUint16(end + AOR_LENGTH, aorLength, true);
    view.setFloat64(end + AT, now, true);
    let at = end + CHANGE_HEADER_BYTES;
    for (let i = aorAt; i < aorEnd; i++) bytes[at++] = aor[i];
    for (let i = 0; i < length; i++) bytes[at++] = source[image + i];
    this.end += size;
    this.count++;
  }

  /** @cold */
  copy(): Changes {
    const copy = new Changes();
    if (this.end > copy.bytes.length) copy.grow(this.end);
    copy.bytes.set(this.bytes.subarray(0, this.end));
    copy.count = this.count;
    copy.end = this.end;
    return copy;
  }

  clear(): void {
    this.count = 0;
    this.end = 0;
  }

  private grow(size: number): void {
    const grown = new Uint8Array(Math.max(this.bytes.length * 2, size));
    grown.set(this.bytes);
    this.bytes = grown;
    this.view = new DataView(grown.buffer);
  }
}

/** Bytes of the entry at `at`. */
export function changeLength(view: DataView, at: number): number {
  return view.getUint32(at + LENGTH, true);
}

export function setChangeSequence(view: DataView, at: number, sequence: number): void {
  view.setFloat64(at + SEQUENCE, sequence, true);
}

export interface ChangeParts {
  /** CHANGE_*. */
  readonly kind: number;
  /** Epoch ms. */
  readonly at: number;
  readonly sequence: number;
  readonly aorAt: number;
  readonly imageAt: number;
}

/** The parts of the entry at `at`: offsets into the bytes of the view. @cold */
export function changeParts(view: DataView, at: number): ChangeParts {
  const aorAt = at + CHANGE_HEADER_BYTES;
  return {
    kind: view.getUint16(at + KIND, true),
    at: view.getFloat64(at + AT, true),
    sequence: view.getFloat64(at + SEQUENCE, true),
    aorAt,
    imageAt: aorAt + view.getUint16(at + AOR_LENGTH, true),
  };
}
