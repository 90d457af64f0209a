// `aorta location`: its verbs and flags. location-intake.ts runs import, export-command the reverse.

import type { Command } from 'commander';
import { addExportCommand } from './export-command.ts';
import { later } from './terminal/command-action.ts';
import { withDataOption } from './terminal/data-directory.ts';
import { examples } from './terminal/help-text.ts';

const EXAMPLES = `
Reads the table "location" of Kamailio or OpenSIPS as SQL (mysqldump, sqlite3 .dump, pg_dump --inserts) or CSV with a header row, what
"kamcmd ul.dump" prints or its answer by JSON-RPC; registrations of Asterisk ("database show", astdb.sqlite3, ps_contacts), of FreeSWITCH
(sip_registrations, "show registrations") and of Flexisip (its Redis): docs/migration.md. Aorta must not be running on the data directory. Phones behind TCP, TLS or WebSocket
connections are left out unless a proxy's Path leads to them: they register anew by themselves. Rows that are left out by rule (run
out, permanent, held by a connection, there already) are counted and named; rows that make no sense are faults, and the exit code is 1.
Rules of the configuration do not count: 64 contacts of an AOR are the most, and times beyond max-expires stay until the next refresh.
As root it acts as the user that the data directory belongs to.

Examples:
  mysqldump --no-tablespaces kamailio location > location.sql
  aorta location import location.sql --data /var/lib/aorta
  kamcmd ul.dump > dump.txt && aorta location import dump.txt --domain example.com
  asterisk -rx "database show registrar" > astdb.txt && aorta location import astdb.txt --domain pbx.example.com
  aorta location import location.csv --timezone +02:00 --dry-run
      dates in the table are local times of the old server; they are taken as this machine's unless told otherwise
`;

/** Adds the command `location` to the root. */
export function addLocationCommand(root: Command): void {
  const location = root
    .command('location')
    .copyInheritedSettings(root)
    .description('bindings from and for other registrars');
  location.addHelpText('after', examples(EXAMPLES));
  const take = location
    .command('import <file>')
    .copyInheritedSettings(root)
    .description('take over the bindings of Kamailio, OpenSIPS, Asterisk, FreeSWITCH or Flexisip');
  withDataOption(take)
    .option('--domain <name>', 'domain of rows that name none (use_domain off)')
    .option('--timezone <offset>', 'of the dates in the table: +HH:MM, -HH:MM or Z (default: this machine’s)')
    .option('--shards <n>', 'shards of a new data directory')
    .option('--encoding <name>', 'of the file, such as latin1 (default: UTF-8)')
    .option('--strict', 'exit with 1 where a row was left out, even if by rule')
    .option('--dry-run', 'read the file and say what would be skipped; change nothing')
    .allowExcessArguments(false)
    .addHelpText('after', examples(EXAMPLES))
    .action(later(async () => (await import('./import/location-intake.ts')).importLocation));
  addExportCommand(location);
}
