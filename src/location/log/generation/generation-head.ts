// Head of a generation: the name of its log, its number, the end of the log when it was begun, and up to where that log was certain.

import { closeSync, openSync, readSync } from 'node:fs';
import { mixWords } from '../log-frame.ts';
import { PAGE_BYTES, PAGE_HEADER_BYTES, VALUE_BYTES_MIN } from './generation-file.ts';

// The head of a generation: a value of VALUE_BYTES_MIN, in words: magic, checksum of the next four, name of the log (2), number (2),
// address of the last frame before + 1 (2), checksum of these eight; address of the last certain frame + 1 (2), checksum of these eleven. Older
// files have zeros in the place of what they lack.
const HEAD_MAGIC = 0x3267_656e;
const HEAD_NAME_WORDS = 6;
const HEAD_BEFORE_SUM = 8;
const HEAD_CERTAIN_SUM = 11;
const HEAD_WORDS = 12;
/** The first pages of a file, one of which has the generation's head. */
const HEAD_PAGES = 16;
/** The page that LMDB uses for the first value, after the leaf that names it. */
export const HEAD_PAGE = 3;
/** Bytes of the file of a generation without a frame. */
export const EMPTY_GENERATION_BYTES = (HEAD_PAGE + 1) * PAGE_BYTES;

/**
 * The head as a value of LMDB: the name of the log, the number, and the end of the log when the generation was made.
 * @param before address of the last frame, -1: there is none
 * @param certain as Log.certain; usually all is
 */
export function generationHead(name: string, number: number, before: number, certain = before): Uint8Array {
  const words = new Uint32Array(VALUE_BYTES_MIN / 4);
  words[0] = HEAD_MAGIC;
  words[2] = Number.parseInt(name.slice(0, 8), 16);
  words[3] = Number.parseInt(name.slice(8), 16);
  words[4] = number % 4294967296;
  words[5] = Math.floor(number / 4294967296);
  words[1] = mixWords(words, 2, HEAD_NAME_WORDS);
  words[6] = (before + 1) % 4294967296;
  words[7] = Math.floor((before + 1) / 4294967296);
  words[HEAD_BEFORE_SUM] = mixWords(words, 0, HEAD_BEFORE_SUM);
  words[9] = (certain + 1) % 4294967296;
  words[10] = Math.floor((certain + 1) / 4294967296);
  words[HEAD_CERTAIN_SUM] = mixWords(words, 0, HEAD_CERTAIN_SUM);
  return new Uint8Array(words.buffer);
}

/**
 * File of a generation without a frame, in which the next life begins another one.
 * @param before as generationHead's; undefined: the head does not name it
 */
export function emptyGeneration(name: string, number: number, before: number | undefined): Buffer {
  const bytes = Buffer.alloc(EMPTY_GENERATION_BYTES);
  const head = generationHead(name, number, before ?? -1);
  if (before === undefined) head.fill(0, HEAD_NAME_WORDS * 4);
  bytes.set(head, HEAD_PAGE * PAGE_BYTES + PAGE_HEADER_BYTES);
  return bytes;
}

export interface GenerationHead {
  readonly name: string;
  readonly number: number;
  /** As Log.before. */
  readonly before: number | undefined;
  /** As Log.certain. */
  readonly certain: number | undefined;
}

/** Undefined: there is no sound head. */
export function readHead(path: string): GenerationHead | undefined {
  const fd = openSync(path, 'r');
  try {
    const words = new Uint32Array(HEAD_WORDS);
    const bytes = new Uint8Array(words.buffer);
    for (let page = 0; page < HEAD_PAGES; page++) {
      if (!isRead(fd, bytes, page * PAGE_BYTES + PAGE_HEADER_BYTES)) continue;
      if (words[0] !== HEAD_MAGIC || words[1] !== mixWords(words, 2, HEAD_NAME_WORDS)) continue;
      const name = [words[2], words[3]].map((word) => word.toString(16).padStart(8, '0')).join('');
      const addressAt = (word: number, sum: number) =>
        words[sum] === mixWords(words, 0, sum) ? words[word + 1] * 4294967296 + words[word] - 1 : undefined;
      const before = addressAt(6, HEAD_BEFORE_SUM);
      const certain = addressAt(9, HEAD_CERTAIN_SUM);
      return { name, number: words[5] * 4294967296 + words[4], before, certain };
    }
    return undefined;
  } finally {
    closeSync(fd);
  }
}

function isRead(fd: number, bytes: Uint8Array, at: number): boolean {
  try {
    return readSync(fd, bytes, 0, bytes.length, at) === bytes.length;
  } catch {
    return false; // an unreadable sector; another page may have the head
  }
}
