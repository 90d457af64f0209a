// `aorta user …`: the verbs and their flags. user-verbs.ts runs them.

import type { Command } from 'commander';
import { later } from './terminal/command-action.ts';
import { withDataOption } from './terminal/data-directory.ts';
import { examples } from './terminal/help-text.ts';
import { withOutputOption } from './terminal/output-file.ts';

const EXAMPLES = `
A password is asked for on a terminal, or read as one line of standard input; it is never given on the command line, and
never kept: the store holds HA1s (RFC 7616). A running server sees every change at once.

Examples:
  aorta user add alice@example.com --data /var/lib/aorta
  aorta user add pbx@example.com --aor alice@example.com --aor bob@example.com
      pbx may register these addresses besides its own
  aorta user policy bob@example.com max-expires=10m contacts-per-aor=1 'transports=[tls, wss]'
      rules for bob alone; max-expires= takes one back
  pass show sip/alice | aorta user passwd alice@example.com
  aorta user import users.csv
      first line names the columns: username,domain,password or username,domain,ha1[,ha1_sha256,ha1_sha512_256][,aors,policy]
  aorta user import subscriber.sql --dry-run
      Kamailio's or OpenSIPS's table as mysqldump writes it; ha1b is for usernames that are "name@domain"
  aorta user export --out users-backup.csv
  aorta user export --format kamailio > subscriber.sql && mysql kamailio < subscriber.sql
`;

type Verbs = typeof import('./user-verbs.ts');

/** Adds the command `user` to the root. */
export function addUserCommand(root: Command): void {
  const user = root.command('user').copyInheritedSettings(root).description('users and what they may register');
  user.addHelpText('after', examples(EXAMPLES));
  const verb = (usage: string, description: string, pick: (verbs: Verbs) => (...args: never[]) => Promise<void>) => {
    const command = user.command(usage).copyInheritedSettings(root).description(description);
    withDataOption(command).allowExcessArguments(false);
    return command.action(
      later(async () => {
        const verbs = await import('./user-verbs.ts');
        return (...args: unknown[]) => verbs.report(pick(verbs) as (...args: unknown[]) => Promise<void>, args);
      }),
    );
  };
  const collect = (value: string, earlier: string[] | undefined) => [...(earlier ?? []), value];
  verb('add <user@domain>', 'add a user; asks for the password', ({ add }) => add)
    .option('--aor <address>', 'another address that the user may register; may be repeated', collect)
    .addHelpText('after', examples(EXAMPLES));
  verb('passwd <user@domain>', "change a user's password", ({ passwd }) => passwd).addHelpText(
    'after',
    examples(EXAMPLES),
  );
  verb(
    'policy <user@domain> [key=value...]',
    "show or set a user's own rules: intervals, contacts, transports, networks",
    ({ policy }) => policy,
  )
    .option('--json', 'one JSON object')
    .addHelpText('after', examples(EXAMPLES));
  verb(
    'rm <user@domain>',
    'remove a user; a running server, or the next one, removes its bindings',
    ({ remove }) => remove,
  );
  verb('ls', 'list the users, without their HA1s', ({ list }) => list).option('--json', 'one JSON object a line');
  verb(
    'import <file>',
    'add users from a CSV file or a subscriber table in SQL, or replace them',
    ({ importFile }) => importFile,
  )
    .option('--domain <name>', 'domain of rows that name none')
    .option('--encoding <name>', 'of the file, such as latin1 (default: UTF-8)')
    .option('--dry-run', 'read the file and say what would be added, replaced and skipped; change nothing')
    .addHelpText('after', examples(EXAMPLES));
  const write = verb(
    'export',
    'write all users with their HA1s, as import or another registrar reads them: keep it like passwords',
    ({ exportUsers }) => exportUsers,
  )
    .option('--format <name>', 'csv, kamailio or opensips: rows of their table subscriber', 'csv')
    .option('--database <name>', 'mysql, postgres or sqlite: how SQL is quoted', 'mysql');
  withOutputOption(write).addHelpText('after', examples(EXAMPLES));
}
