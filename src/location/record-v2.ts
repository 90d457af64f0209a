// Records of version 2, of data directories up to format 4: their images have a spare byte in place of a node's number. This file keeps that layout,
// independent of image-layout.ts.

const LENGTH = 0; // u16, of the whole image
const SPARE = 53;

/** Makes the images in bytes[at, end) those of version 3, in place; returns where they end. */
export function imagesFromV2(bytes: Uint8Array, at: number, end: number): number {
  for (let image = at; image + SPARE < end; ) {
    bytes[image + SPARE] = 0;
    const length = bytes[image + LENGTH] | (bytes[image + LENGTH + 1] << 8);
    if (length <= SPARE) break; // no image: a faulty program wrote it, and isImage refuses it
    image += length;
  }
  return end;
}
