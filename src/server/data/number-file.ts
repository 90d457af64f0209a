// A file of the data directory that keeps the end of the reserved numbers, which must never be given twice. Its owners decide about
// their use, and how many are reserved at a time.

import { join } from 'node:path';
import * as z from 'zod';
import type { FileCalls } from '../../location/files/file-calls.ts';
import { SmallFile, SmallFileError } from '../../location/files/small-file.ts';
import type { Log } from '../process/log.ts';
import { DataDirectoryError, unwritable } from './directory-error.ts';
import { logCopyUsed } from './settled-files.ts';

const Content = z.strictObject({ reserved: z.number().int().nonnegative() });
type Content = z.infer<typeof Content>;

export interface NumberFileOptions {
  readonly name: string;
  /** Numbers reserved at a time. */
  readonly step: number;
  readonly log: Log;
  readonly calls?: FileCalls | undefined;
}

export class NumberFile {
  /** All numbers below it are used up; undefined where none was ever reserved. */
  readonly reserved: number | undefined;
  readonly path: string;
  private readonly file: SmallFile<Content>;

  /** @throws DataDirectoryError where it cannot be read */
  constructor(directory: string, { name, step, log, calls }: NumberFileOptions) {
    this.path = join(directory, name);
    this.file = new SmallFile(this.path, {
      // Versions before the checksum wrote a bare number.
      unsealed: (content) => (typeof content === 'number' ? { reserved: content } : content),
      check: (content) => Content.parse(content),
      ...(calls && { calls }),
    });
    const found = this.read();
    if (found?.problem !== undefined) {
      logCopyUsed(log, found.problem);
      this.orUnwritable(directory, () => this.file.settle(found));
    }
    // A copy may be one step behind.
    this.reserved = found && found.content.reserved + (found.problem === undefined ? 0 : step);
  }

  /** Writes and syncs the number. Throws the system's error. */
  write(reserved: number): void {
    this.file.write({ reserved });
  }

  /** Writes the first number at a start. Throws a DataDirectoryError. */
  writeFirst(directory: string, reserved: number): void {
    this.orUnwritable(directory, () => this.write(reserved));
  }

  private read(): ReturnType<SmallFile<Content>['read']> {
    const { path, file } = this;
    try {
      return file.read();
    } catch (error) {
      if (!(error instanceof SmallFileError)) throw error;
      throw new DataDirectoryError(
        'damaged',
        `cannot read which numbers are used up (${error.message}): restore ${path} from a backup of today, or remove it ` +
          `and ${file.copy}, and numbers begin anywhere: it takes very bad luck to meet one that was used`,
      );
    }
  }

  private orUnwritable(directory: string, write: () => void): void {
    try {
      write();
    } catch (error) {
      throw unwritable(directory, error);
    }
  }
}
