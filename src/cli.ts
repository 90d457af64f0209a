#!/usr/bin/env node
// The command `aorta`: its commands, each of which loads what it does only when it runs.

import { Command, CommanderError } from 'commander';
import { addBenchCommand } from './server/bench-command.ts';
import { addCertCommand } from './server/cert-command.ts';
import { addBackupCommands } from './server/commands/backup-command.ts';
import { endWithReader } from './server/commands/command-action.ts';
import { addCompletionCommand } from './server/commands/completion-command.ts';
import { addConfigCommands } from './server/commands/config-command.ts';
import { addDoctorCommand } from './server/commands/doctor-command.ts';
import { addServeCommand, SERVE_EXAMPLES } from './server/commands/serve-command.ts';
import { addTopCommand } from './server/commands/top-command.ts';
import { addTraceCommand } from './server/commands/trace-command.ts';
import { addUlCommand, translateSpelling } from './server/commands/ul-command.ts';
import { EXIT_OK, EXIT_USAGE } from './server/exit-codes.ts';
import { addLocationCommand } from './server/location-command.ts';
import { packageVersion } from './server/package-version.ts';
import { addStaticCommands } from './server/static-command.ts';
import { addUserCommand } from './server/user-command.ts';

function program(): Command {
  const root = new Command('aorta');
  root
    .description('A SIP registrar and location service.')
    .version(packageVersion(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .addHelpText('after', SERVE_EXAMPLES)
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'aorta: ')) })
    .exitOverride();
  addServeCommand(root);
  addUserCommand(root);
  addLocationCommand(root);
  addBackupCommands(root);
  addStaticCommands(root);
  addCertCommand(root);
  addUlCommand(root);
  addConfigCommands(root);
  addTopCommand(root);
  addTraceCommand(root);
  addDoctorCommand(root);
  addBenchCommand(root);
  addCompletionCommand(root);
  return root;
}

const words = process.argv.slice(2);
endWithReader();
try {
  await program().parseAsync(translateSpelling(words), { from: 'user' });
} catch (error) {
  if (!(error instanceof CommanderError)) throw error;
  process.exitCode = error.exitCode === 0 ? EXIT_OK : EXIT_USAGE;
}
