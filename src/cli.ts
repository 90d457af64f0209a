#!/usr/bin/env node
// The command `aorta`.

import { CommanderError } from 'commander';
import { program } from './commands/program.ts';
import { endWithReader } from './commands/terminal/command-action.ts';
import { EXIT_OK, EXIT_USAGE } from './commands/terminal/exit-codes.ts';
import { translateSpelling } from './commands/ul/ul-command.ts';

const words = process.argv.slice(2);
endWithReader();
try {
  const root = await program(words);
  await root.parseAsync(helpBehind(translateSpelling(words)), { from: 'user' });
} catch (error) {
  if (!(error instanceof CommanderError)) throw error;
  process.exitCode = error.exitCode === 0 ? EXIT_OK : EXIT_USAGE;
}

/** `aorta help user add` becomes `aorta user add --help`: the library accepts one word after `help`. */
function helpBehind(words: readonly string[]): readonly string[] {
  return words[0] === 'help' && words.length > 2 ? [...words.slice(1), '--help'] : words;
}
