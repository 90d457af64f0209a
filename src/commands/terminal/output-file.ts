// What a command writes into a file: bindings and HA1s are for its owner's eyes, and nothing that is there already is written over.

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
 * Lets `fill` write a new file, or to standard output where none is named. A file that cannot be finished goes away again. Throws a
 * CommandError where one is there already, or cannot be written.
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

/** Whoever has become the owner of the data directory meanwhile may not be allowed to. */
function remove(file: string): void {
  try {
    rmSync(file);
  } catch {}
}
