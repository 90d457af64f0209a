// The command line: every command, each of which loads its code only when it runs.

import { Command } from 'commander';
import { packageVersion } from '../server/process/package-version.ts';
import { addAbuseCommand } from './abuse/abuse-command.ts';
import { addBackupCommands } from './backup-command.ts';
import { addBenchCommand } from './bench-command.ts';
import { addCertCommand } from './cert-command.ts';
import { addClusterCommand } from './cluster/cluster-command.ts';
import { addCompletionCommand } from './completion-command.ts';
import { addConfigCommands } from './config-command.ts';
import { addDoctorCommand } from './doctor/doctor-command.ts';
import { addFeedCommand } from './feed/feed-command.ts';
import { addLocationCommand } from './location-command.ts';
import { addServeCommand, SERVE_EXAMPLES } from './serve-command.ts';
import { addStaticCommands } from './static-command.ts';
import { examples, HELP_COLUMNS } from './terminal/help-text.ts';
import { addTopCommand } from './top-command.ts';
import { addTraceCommand } from './trace-command.ts';
import { addTranslateCommand } from './translate/translate-command.ts';
import { addUlCommand } from './ul/ul-command.ts';
import { addUserCommand } from './user-command.ts';

/** @param words of the command line */
export async function program(words: readonly string[]): Promise<Command> {
  const root = new Command('aorta');
  root
    .description('A SIP registrar and location service.')
    .version(packageVersion(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .configureHelp({ subcommandTerm: shortTerm })
    .configureOutput({
      getOutHelpWidth: () => HELP_COLUMNS,
      outputError: (text, write) => write(text.replace(/^error: /, 'aorta: ')),
    })
    .addHelpText('after', examples(SERVE_EXAMPLES))
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
  addAbuseCommand(root);
  addFeedCommand(root);
  addClusterCommand(root);
  addDoctorCommand(root);
  addBenchCommand(root);
  addCompletionCommand(root);
  return root;
}

/** A command in its group's help: its name and its required arguments. */
function shortTerm(command: Command): string {
  const needed = command.registeredArguments
    .filter(({ required }) => required)
    .map((argument) => `<${argument.name()}>`);
  return [command.name(), ...needed].join(' ');
}
