// Once a day the log of a shard is read from beginning to end, at a pace that leaves its disk to the shard. A damaged record costs its
// AOR the binding: the shard is told, and the phone registers anew. Runs in the helper thread that writes checkpoints.

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { LogFiles } from '../../location/log/log-files.ts';
import { RecordReader } from '../../location/log/log-records.ts';
import { type GenerationScrub, isWithin, scrubGeneration } from '../../location/log/log-scrub.ts';
import { bindingsOf, placeOf, ROW_KEY, ROW_PLACE, ROW_WORDS } from '../../location/table/binding-row.ts';
import { suspect } from '../../location/table/binding-table.ts';
import { CHUNK_ROWS } from '../../location/table/row-chunks.ts';

/** Bytes per second. */
const PACE = 20 << 20;
/** Records reported to the shard at once, and the time that it has for them. */
const TOLD_MAX = 32;
const TOLD_MS = 2000;

export interface ScrubReport {
  readonly bytes: number;
  /** Damaged places in the log, and records lost by them. */
  readonly damaged: number;
  readonly records: number;
}

/** The subject of a scrub: a shard's log, and its table in shared memory. */
export interface ScrubSubject {
  readonly directory: string;
  /** Number of the generation that the shard writes now. */
  newest(): number;
  chunkCount(): number;
  rows(chunk: number): Uint32Array;
  readonly suspects: Int32Array;
  /** Whether the shard's life is over. */
  ended(): boolean;
}

/** Reads all generations but the one being written. Throws the system's error. */
export async function scrub(subject: ScrubSubject, sleep: (ms: number) => Promise<void>): Promise<ScrubReport> {
  const files = new LogFiles(subject.directory);
  const found = new Map<number, GenerationScrub>();
  let bytes = 0;
  let damaged = 0;
  try {
    for (const number of generationsIn(subject.directory)) {
      if (number >= subject.newest() || subject.ended()) break;
      const generation = await scrubOne(files.pathOf(number), (step) => sleep((step / PACE) * 1000));
      if (generation === undefined) continue; // dropped meanwhile
      found.set(number, generation);
      bytes += generation.bytes;
      damaged += generation.bad.length;
    }
    const records = await tellLost(subject, files, found, sleep);
    return { bytes, damaged, records };
  } finally {
    files.close();
  }
}

async function scrubOne(path: string, rest: (bytes: number) => Promise<void>): Promise<GenerationScrub | undefined> {
  try {
    return await scrubGeneration(path, rest);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Checks every record that lies in no sound frame, tells the shard of the lost ones, and returns how many they are. */
async function tellLost(
  subject: ScrubSubject,
  files: LogFiles,
  found: ReadonlyMap<number, GenerationScrub>,
  sleep: (ms: number) => Promise<void>,
): Promise<number> {
  const records = new RecordReader(files);
  const into = new Uint8Array(1 << 16);
  let told = 0;
  for (let chunk = 0; chunk < subject.chunkCount() && !subject.ended(); chunk++) {
    const rows = subject.rows(chunk);
    for (let at = 0; at < rows.length; at += ROW_WORDS) {
      if (bindingsOf(rows, at + ROW_PLACE) === 0) continue;
      const place = placeOf(rows, at + ROW_PLACE);
      const generation = found.get(Math.floor(place / files.generationBytes));
      if (generation === undefined || isWithin(generation.sound, place % files.generationBytes)) continue;
      if (isSound(records, place, rows, at, into) || place !== placeOf(rows, at + ROW_PLACE)) continue;
      suspect(subject.suspects, chunk * CHUNK_ROWS + at / ROW_WORDS);
      if (++told % TOLD_MAX === 0) await sleep(TOLD_MS);
    }
    await sleep(1);
  }
  return told;
}

function isSound(records: RecordReader, place: number, rows: Uint32Array, at: number, into: Uint8Array): boolean {
  try {
    return records.read(place, rows, at + ROW_KEY, into) >= 0;
  } catch {
    return false;
  }
}

function generationsIn(directory: string): number[] {
  const names = readdirSync(join(directory, 'log')).filter((name) => /^\d{10}\.mdb$/.test(name));
  return names.map((name) => Number(name.slice(0, 10))).sort((a, b) => a - b);
}
