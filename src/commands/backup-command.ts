// `aorta backup` and `aorta restore`: their output and exit codes. backup.ts makes the copies.

import type { Command } from 'commander';
import { errorText } from '../server/process/file-fault.ts';
import { showProgress } from '../server/process/progress.ts';
import { sizeText } from '../server/process/size-text.ts';
import { print, printError } from '../server/process/terminal.ts';
import { withDataOption } from './terminal/data-directory.ts';
import { EXIT_FAILED } from './terminal/exit-codes.ts';
import { examples } from './terminal/help-text.ts';

const BACKUP_EXAMPLES = `
The server may run meanwhile: the copy is what a crash at that moment would have left, with every registration that was answered before the
command began. Users and static bindings are in it, so keep it as safe as the directory itself. The admin listener's URL and token are not: a copy
commands no server, and its first start makes a token of its own.

Examples:
  aorta backup /var/backups/aorta-monday --data /var/lib/aorta
  aorta backup ./copy && tar -czf copy.tar.gz copy
`;

const RESTORE_EXAMPLES = `
The data directory must not be there, or be empty. Bindings that have run out since the backup go at the start.

Examples:
  aorta restore /var/backups/aorta-monday --data /var/lib/aorta
  aorta serve --data /var/lib/aorta
`;

interface Options {
  readonly data: string;
}

/** Adds both commands to the root. */
export function addBackupCommands(root: Command): void {
  withDataOption(
    root
      .command('backup <directory>')
      .copyInheritedSettings(root)
      .description('copy the data directory while the server runs'),
  )
    .allowExcessArguments(false)
    .addHelpText('after', examples(BACKUP_EXAMPLES))
    .action((directory: string, { data }: Options) => telling(() => makeBackup(data, directory)));
  withDataOption(
    root.command('restore <backup>').copyInheritedSettings(root).description('put a backup into a new data directory'),
  )
    .allowExcessArguments(false)
    .addHelpText('after', examples(RESTORE_EXAMPLES))
    .action((backup: string, { data }: Options) =>
      telling(async () => {
        const { restore } = await import('../server/data/backup.ts');
        const { aors, bindings, damaged } = restore(backup, data);
        print(`restored ${bindings} bindings of ${aors} addresses into ${data}\n`);
        if (damaged > 0) printError(`${damaged} places of the log were damaged: see ${data}/**/damaged\n`);
        const hint = (await import('../server/data/owner.ts')).chownHint(data);
        if (hint !== '') printError(`${hint}\n`);
      }),
    );
}

async function makeBackup(data: string, directory: string): Promise<void> {
  const { backUp } = await import('../server/data/backup.ts');
  const display = showProgress(process.stderr.isTTY ? process.stderr : undefined, () => {});
  try {
    const { shards, bytes } = await backUp(data, directory, display.report);
    display.end();
    print(`backed up ${shards} shards, ${sizeText(bytes)}, into ${directory}\n`);
  } finally {
    display.end();
  }
}

async function telling(action: () => Promise<void>): Promise<void> {
  try {
    await action();
  } catch (error) {
    printError(`aorta: ${errorText(error)}\n`);
    process.exitCode = EXIT_FAILED;
  }
}
