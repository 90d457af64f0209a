// Frames of a log that are looked up one by one: what an address leads to, and where the frames before a generation ended.

import { readAround } from './around.ts';
import { type Applied, CONTROL_APPLIED, controlType, readApplied } from './control-entry.ts';
import type { FrameFound, Log } from './log.ts';
import {
  ENTRY_CONTROL,
  entryKind,
  firstEntry,
  frameLength,
  NO_FRAME,
  NO_PREVIOUS,
  previousFrame,
} from './log-frame.ts';

/** Frames of a generation examined to find its first. */
const CLAIMS_MAX = 64;

/**
 * Address of the last frame before these generations, as the head or the first frame of one of them names it: later frames were
 * refused. Generations without either are skipped: after repeated failures of commits they have no frame.
 */
export function limitBefore(log: Log, numbers: readonly number[]): number {
  for (const number of numbers) {
    const before = log.before(number);
    if (before !== undefined) return before;
    const start = number * log.generationBytes;
    let claims = 0;
    for (let found = log.find(start); found !== null && claims < CLAIMS_MAX; found = log.find(found.place + 8)) {
      if (Math.floor(found.address / log.generationBytes) !== number) continue;
      claims++;
      const previous = found.address === start ? previousOf(log, found) : -1;
      if (previous === NO_PREVIOUS) return -1;
      if (previous >= 0) return previous;
    }
    if (claims > 1) break; // its first frame is lost, so the address is unknown
  }
  return Number.POSITIVE_INFINITY;
}

/** Address of the last frame before these generations that had lasted for certain, as `limitBefore`; Infinity: they do not name it. */
export function certainBefore(log: Log, numbers: readonly number[]): number {
  const first = numbers.find((number) => log.before(number) !== undefined);
  return (first === undefined ? undefined : log.certain(first)) ?? Number.POSITIVE_INFINITY;
}

/** The stream position in a frame; null: the frame is not from a stream, or is missing. @param address of a frame */
export function appliedAt(log: Log, address: number): Applied | null {
  const start = address - (address % log.generationBytes);
  for (let found = log.find(start); found !== null; found = log.find(found.place + 8)) {
    if (found.address !== address || found.length > log.generationBytes) continue;
    const bytes = new Uint8Array(new ArrayBuffer(found.length));
    const words = new Uint32Array(bytes.buffer);
    if (readAround(log, found.place, bytes, 0, found.length) < found.length) continue;
    if (frameLength(bytes, words, 0, words.length, address) === NO_FRAME) continue;
    const w = firstEntry(0);
    const isOfStream =
      words.length > w && entryKind(words, w) === ENTRY_CONTROL && controlType(words, w) === CONTROL_APPLIED;
    return isOfStream ? readApplied(words, w) : null;
  }
  return null;
}

/** Address of the frame before a sound one; -1: it is damaged. */
function previousOf(log: Log, { address, place, length }: FrameFound): number {
  if (length > log.generationBytes) return -1;
  const bytes = new Uint8Array(new ArrayBuffer(length));
  const words = new Uint32Array(bytes.buffer);
  if (readAround(log, place, bytes, 0, length) < length) return -1;
  return frameLength(bytes, words, 0, length >> 2, address) === NO_FRAME ? -1 : previousFrame(words, 0);
}
