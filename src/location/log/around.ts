// Reading past unreadable parts of a disk: piece by piece, with zeros for lost bytes.

/** Approximate size of the smallest loss of a disk. */
const PIECE_BYTES = 4096;

interface Bytes {
  /** Throws the disk's error. */
  read(from: number, into: Uint8Array, at: number, length: number): number;
}

/**
 * Reads up to `length` bytes into into[at …] and returns the number of bytes read; the bytes of an unreadable piece are zeros.
 * @param unreadable gets the start of each unreadable piece
 */
export function readAround(
  bytes: Bytes,
  from: number,
  into: Uint8Array,
  at: number,
  length: number,
  unreadable: (from: number) => void = () => {},
): number {
  try {
    let done = 0;
    for (let got = -1; done < length && got !== 0; done += got)
      got = bytes.read(from + done, into, at + done, length - done);
    return done;
  } catch {
    return pieces(bytes, from, into, at, length, unreadable);
  }
}

function pieces(
  bytes: Bytes,
  from: number,
  into: Uint8Array,
  at: number,
  length: number,
  unreadable: (from: number) => void,
): number {
  let done = 0;
  let known = 0; // an unreadable piece may be the end of the file
  while (done < length) {
    const size = Math.min(PIECE_BYTES - ((from + done) % PIECE_BYTES), length - done);
    let got = size;
    try {
      got = bytes.read(from + done, into, at + done, size);
      known = done + got;
    } catch {
      into.fill(0, at + done, at + done + size);
      unreadable(from + done);
    }
    if (got === 0) break;
    done += got;
  }
  return known;
}
