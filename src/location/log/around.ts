// Reading past what a disk does not give: piece by piece, with zeros for what is lost.

/** About what a disk loses at once. */
const PIECE_BYTES = 4096;

interface Bytes {
  /** Throws the disk's error. */
  read(from: number, into: Uint8Array, at: number, length: number): number;
}

/**
 * Reads up to `length` bytes into into[at …] and returns how many there were; where a piece cannot be read, its bytes are zeros.
 * @param unreadable is told where each of those begins
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
  let known = 0; // behind a piece that cannot be read there may be nothing
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
