// The log's files for threads that do not write it: reads by place, and syncs of another thread's writes.

import { dirname } from 'node:path';
import { syncPath } from '../files/sync-path.ts';
import { GenerationFile } from './generation/generation-file.ts';
import { GENERATION_BYTES } from './generation/generation-size.ts';
import type { SharedLogSource } from './log.ts';
import { generationPath } from './log-folder.ts';

/** The generations' files for a reader in another thread, opened when they are first read. */
export class LogFiles implements SharedLogSource {
  readonly generationBytes: number;
  private readonly directory: string;
  private readonly files = new Map<number, GenerationFile>();

  /** @param directory of the shard */
  constructor(directory: string, generationBytes = GENERATION_BYTES) {
    this.directory = directory;
    this.generationBytes = generationBytes;
  }

  read(place: number, into: Uint8Array, at: number, length: number): number {
    const number = Math.floor(place / this.generationBytes);
    let file = this.files.get(number);
    if (file === undefined) {
      try {
        file = new GenerationFile(this.pathOf(number));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 0; // dropped meanwhile
        throw error;
      }
      this.files.set(number, file);
    }
    return file.read(place % this.generationBytes, into, at, length);
  }

  pathOf(generation: number): string {
    return generationPath(this.directory, generation);
  }

  /** Generations before `tail` are gone: an open file would keep their space. */
  drop(tail: number): void {
    for (const [number, file] of this.files) {
      if (number >= tail) continue;
      file.closeLater();
      this.files.delete(number);
    }
  }

  close(): void {
    this.drop(Number.POSITIVE_INFINITY);
  }
}

/** Syncs the generations of the log from one address to another, and their names. @param directory of the shard */
export function syncLog(directory: string, from: number, to: number, generationBytes = GENERATION_BYTES): void {
  for (let n = Math.floor(from / generationBytes); n <= Math.floor(to / generationBytes); n++) {
    const path = generationPath(directory, n);
    try {
      syncPath(path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error; // dropped, or not begun
    }
  }
  syncPath(dirname(generationPath(directory, 0)));
}
