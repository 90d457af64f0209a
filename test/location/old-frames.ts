// Frames as they were before format 4 of data directories: a checksum over all words, and refreshes and removals that do not name
// their frame.

import { LmdbLog } from '../../src/location/log/lmdb-log.ts';
import {
  CHECKSUM,
  ENTRY_RECORD,
  ENTRY_REFRESH,
  entryKind,
  entrySalt,
  entryWords,
  firstEntry,
  REMOVAL_CHECK,
} from '../../src/location/log/log-frame.ts';

const OLD_MAGIC = 0x32676f6c;

/** Writes what the version before would have written. */
export class OldLmdbLog extends LmdbLog {
  override append(bytes: Uint8Array, length: number, address: number): void {
    age(new Uint32Array(bytes.buffer, 0, length >> 2));
    super.append(bytes, length, address);
  }
}

function age(words: Uint32Array): void {
  const salt = entrySalt(words, 0);
  words[0] = OLD_MAGIC;
  for (let w = firstEntry(0); w < words.length; w += entryWords(words, w)) {
    const kind = entryKind(words, w);
    if (kind === ENTRY_REFRESH) words[w + 1] ^= salt;
    else if (kind !== ENTRY_RECORD) words[w + REMOVAL_CHECK] ^= salt;
  }
  let sum = 0x811c9dc5 ^ words.length;
  for (const [i, word] of words.entries()) {
    if (i === CHECKSUM) continue;
    sum = Math.imul(sum ^ word, 0x9e3779b1);
    sum ^= sum >>> 15;
  }
  words[CHECKSUM] = sum;
}
