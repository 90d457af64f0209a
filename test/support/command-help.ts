// What `aorta COMMAND --help` prints, of all commands, without a process for each.

import type { Command } from 'commander';
import { program } from '../../src/commands/program.ts';

/** By the words of the command, as `user add`; '' is that of aorta itself. */
export async function allHelps(): Promise<ReadonlyMap<string, string>> {
  return new Map(helps(await program(['help'])));
}

/** Of a command and of every one below it. */
function helps(command: Command, path = ''): [string, string][] {
  let text = '';
  command.configureOutput({ writeOut: (part) => void (text += part) });
  command.outputHelp();
  return [[path, text], ...command.commands.flatMap((one) => helps(one, `${path} ${one.name()}`.trim()))];
}
