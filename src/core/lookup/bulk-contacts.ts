// Contacts of a PBX (RFC 6140 §5.2): one binding with `bnc` in its URI and without a user stands for a contact per number. Lookups
// make those contacts: the number becomes the user, `bnc` is left out, and `sg` of a GRUU is copied (§7.1.1).
// @hot

import { AT_SIGN, isText, SEMICOLON } from '../../sip/scanner.ts';
import { ascii } from '../../sip/writer.ts';
import { imageLength, setU16, uriAt, uriEnd } from '../binding/binding.ts';
import { LENGTH, URI_LENGTH } from '../binding/image-layout.ts';

const BNC = ascii('bnc');
const SG = ascii(';sg=');
const QUESTION_MARK = 0x3f;
const COLON = 0x3a;
const LENGTH_MAX = 0xffff;

/** Whether the URI of the image is one of a PBX. */
export function isBulkContact(bytes: Uint8Array, image: number): boolean {
  return bncAt(bytes, uriAt(bytes, image), uriEnd(bytes, image)) >= 0;
}

/** Position of `;bnc` in the URI bytes[at, end), or -1; a URI with a user has none. */
function bncAt(bytes: Uint8Array, at: number, end: number): number {
  let found = -1;
  for (let p = at; p < end && bytes[p] !== QUESTION_MARK; p++) {
    if (bytes[p] === AT_SIGN) return -1;
    if (bytes[p] !== SEMICOLON || found >= 0 || !isText(bytes, p + 1, p + 1 + BNC.length, BNC)) continue;
    const after = p + 1 + BNC.length;
    if (after === end || (after < end && (bytes[after] === SEMICOLON || bytes[after] === QUESTION_MARK))) found = p;
  }
  return found;
}

/** Makes contacts for one number, with the `sg` of the GRUU in the request. */
export class BulkContacts {
  /** "+" and digits. */
  private readonly number = new Uint8Array(16);
  private numberLength = 0;
  private bytes: Uint8Array = this.number;
  private sgAt = 0;
  private sgEnd = 0;
  private into: Uint8Array = this.number;
  private at = 0;

  /** @param aor canonical, of a number */
  ask(aor: Uint8Array): void {
    let length = 0;
    while (aor[length] !== AT_SIGN) this.number[length] = aor[length++];
    this.numberLength = length;
    this.sgEnd = this.sgAt;
  }

  /** Sets the value of `sg`, valid as long as `bytes`. */
  askDevice(bytes: Uint8Array, at: number, end: number): void {
    this.bytes = bytes;
    this.sgAt = at;
    this.sgEnd = end;
  }

  /** Writes the number's images, made from the PBX's in bytes[at, end), to into[0, …); returns their length. */
  write(bytes: Uint8Array, at: number, end: number, into: Uint8Array): number {
    this.into = into;
    this.at = 0;
    for (let image = at; image < end; image += imageLength(bytes, image)) {
      const from = uriAt(bytes, image);
      const bnc = bncAt(bytes, from, uriEnd(bytes, image));
      if (bnc >= 0) this.writeImage(bytes, image, from, bnc);
    }
    return this.at;
  }

  private writeImage(bytes: Uint8Array, image: number, uri: number, bnc: number): void {
    const to = this.at;
    const end = uriEnd(bytes, image);
    const sg = this.sgEnd > this.sgAt ? SG.length + this.sgEnd - this.sgAt : 0;
    const more = this.numberLength + 1 - (BNC.length + 1) + sg;
    const length = imageLength(bytes, image) + more;
    if (length > LENGTH_MAX || to + length > this.into.length) return;
    let colon = uri;
    while (bytes[colon] !== COLON) colon++;
    this.copy(bytes, image, colon + 1);
    this.copy(this.number, 0, this.numberLength);
    this.into[this.at++] = AT_SIGN;
    this.copy(bytes, colon + 1, bnc);
    let headers = bnc + 1 + BNC.length;
    while (headers < end && bytes[headers] !== QUESTION_MARK) headers++;
    this.copy(bytes, bnc + 1 + BNC.length, headers);
    if (sg > 0) {
      this.copy(SG, 0, SG.length);
      this.copy(this.bytes, this.sgAt, this.sgEnd);
    }
    this.copy(bytes, headers, image + imageLength(bytes, image));
    setU16(this.into, to + LENGTH, length);
    setU16(this.into, to + URI_LENGTH, end - uri + more);
  }

  private copy(bytes: Uint8Array, at: number, end: number): void {
    const { into } = this;
    let to = this.at;
    for (let p = at; p < end; p++) into[to++] = bytes[p];
    this.at = to;
  }
}
