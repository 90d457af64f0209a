// Reads a generation from end to end, so that a bad sector or a flipped bit is found before a read needs it.

import { readAround } from './around.ts';
import { FrameSearch, GenerationFile } from './generation/generation-file.ts';
import { frameLength, NO_FRAME } from './log-frame.ts';

/** Bytes between two rests. */
const STEP_BYTES = 1 << 20;

export interface GenerationScrub {
  /** Bytes of the file. */
  readonly bytes: number;
  /** Bounds of the sound frames in the file, pairs of offsets in ascending order. */
  readonly sound: readonly number[];
  /** Offsets of damaged frames and unreadable pages. */
  readonly bad: readonly number[];
}

/**
 * Reads a whole generation. A frame that is being written after the last settled one does not count as bad.
 * @param rest is awaited after each step, with the number of its bytes
 * @throws the system's error where the file cannot be opened
 */
export async function scrubGeneration(path: string, rest: (bytes: number) => Promise<void>): Promise<GenerationScrub> {
  const file = new GenerationFile(path);
  try {
    const settled = file.settledAddress() ?? -1;
    const search = new FrameSearch();
    const sound: number[] = [];
    const bad: number[] = [];
    const unreadable = (offset: number) => void bad.push(offset);
    let frame = new Uint8Array(new ArrayBuffer(STEP_BYTES));
    let rested = 0;
    for (let found = search.find(file, 0, unreadable); found !== null; ) {
      const { offset, address, length } = found;
      const fits = length <= file.size;
      if (fits && length > frame.length) frame = new Uint8Array(new ArrayBuffer(length));
      const got = fits ? readAround(file, offset, frame, 0, length) : 0;
      const isSound =
        fits &&
        got >= length &&
        frameLength(frame, new Uint32Array(frame.buffer), 0, length >> 2, address) !== NO_FRAME;
      if (isSound) sound.push(offset, offset + length);
      else if (address <= settled) bad.push(offset);
      if (offset - rested >= STEP_BYTES) {
        await rest(offset - rested);
        rested = offset;
      }
      found = search.find(file, isSound ? offset + length : offset + 8, unreadable);
    }
    return { bytes: file.size, sound, bad };
  } finally {
    file.close();
  }
}

/** Whether an offset lies within one of the bounds, which ascend. */
export function isWithin(bounds: readonly number[], offset: number): boolean {
  let low = 0;
  let high = bounds.length >> 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (bounds[middle * 2 + 1] <= offset) low = middle + 1;
    else high = middle;
  }
  return low * 2 < bounds.length && bounds[low * 2] <= offset;
}
