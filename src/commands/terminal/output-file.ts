// A command's output to a file: only its owner may read bindings and HA1s, and no existing file is overwritten.

import { once } from 'node:events';
import { closeSync, fsyncSync, openSync, rmSync, writeFileSync } from 'node:fs';
import type { Command } from 'commander';
import { errorText, fileFault } from '../../server/process/file-fault.ts';
import { printFile } from '../../server/process/terminal.ts';
import { CommandError } from './command-action.ts';

export function withOutputOption(command: Command): Command {
  return command.option(
    '--out, --output <file>',
    'a new file to write, readable by the owner only (default: standard output)',
  );
}

/**
 * Lets `fill` write a new file, or to standard output where none is named. An unfinished file is removed. Throws a CommandError
 * where the file exists, or cannot be written.
 */
export async function writeOutput(
  file: string | undefined,
  fill: (put: (text: string) => Promise<void>) => Promise<void>,
): Promise<void> {
  if (file === undefined) return fill(putOut);
  const fd = createFile(file);
  try {
    await fill(async (text) => putInto(fd, file, text));
    fsyncSync(fd);
  } catch (error) {
    remove(file);
    throw error;
  } finally {
    closeSync(fd);
  }
}

async function putOut(text: string): Promise<void> {
  if (!printFile(text)) await once(process.stdout, 'drain');
}

function putInto(fd: number, file: string, text: string): void {
  try {
    writeFileSync(fd, text);
  } catch (error) {
    throw new CommandError(`${file}: ${fileFault(error)}`);
  }
}

function createFile(file: string): number {
  try {
    return openSync(file, 'wx', 0o600);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw new CommandError(errorText(error));
    throw new CommandError(`${file} is there already: name another file or remove it`);
  }
}

/** Fails silently: the process may have become the owner of the data directory meanwhile, without the right to remove it. */
function remove(file: string): void {
  try {
    rmSync(file);
  } catch {}
}
