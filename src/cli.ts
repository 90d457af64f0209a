#!/usr/bin/env node
// The command `aorta`: its commands, each of which loads what it does only when it runs.

import { Command, CommanderError } from 'commander';
import { addBackupCommands } from './commands/backup-command.ts';
import { addBenchCommand } from './commands/bench-command.ts';
import { addCertCommand } from './commands/cert-command.ts';
import { addClusterCommand } from './commands/cluster/cluster-command.ts';
import { addCompletionCommand } from './commands/completion-command.ts';
import { addConfigCommands } from './commands/config-command.ts';
import { addDoctorCommand } from './commands/doctor-command.ts';
import { addLocationCommand } from './commands/location-command.ts';
import { addServeCommand, SERVE_EXAMPLES } from './commands/serve-command.ts';
import { addStaticCommands } from './commands/static-command.ts';
import { endWithReader } from './commands/terminal/command-action.ts';
import { EXIT_OK, EXIT_USAGE } from './commands/terminal/exit-codes.ts';
import { addTopCommand } from './commands/top-command.ts';
import { addTraceCommand } from './commands/trace-command.ts';
import { addTranslateCommand } from './commands/translate/translate-command.ts';
import { addUlCommand, translateSpelling } from './commands/ul-command.ts';
import { addUserCommand } from './commands/user-command.ts';
import { packageVersion } from './server/process/package-version.ts';

async function program(words: readonly string[]): Promise<Command> {
  const root = new Command('aorta');
  root
    .description('A SIP registrar and location service.')
    .version(packageVersion(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .addHelpText('after', SERVE_EXAMPLES)
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'aorta: ')) })
    .exitOverride();
  await addServeCommand(root, words);
  addUserCommand(root);
  addLocationCommand(root);
  addBackupCommands(root);
  addTranslateCommand(root);
  addStaticCommands(root);
  addCertCommand(root);
  addUlCommand(root);
  addConfigCommands(root);
  addTopCommand(root);
  addTraceCommand(root);
  addClusterCommand(root);
  addDoctorCommand(root);
  addBenchCommand(root);
  addCompletionCommand(root);
  return root;
}

const words = process.argv.slice(2);
endWithReader();
try {
  const root = await program(words);
  await root.parseAsync(translateSpelling(words), { from: 'user' });
} catch (error) {
  if (!(error instanceof CommanderError)) throw error;
  process.exitCode = error.exitCode === 0 ? EXIT_OK : EXIT_USAGE;
}
