// `aorta location export`: a running server's bindings as rows for Kamailio or OpenSIPS. location-export makes the rows.

import type { Command } from 'commander';
import { showProgress } from '../server/process/progress.ts';
import { printError } from '../server/process/terminal.ts';
import { type ExportedBinding, type ExportFormat, headOf, rowOf, tailOf } from './import/location-export.ts';
import { DATABASES, type Database } from './import/sql-text.ts';
import { zoneOf } from './import/time-zone.ts';
import { AdminClient, type AdminOptions, withAdminOptions } from './terminal/admin-client.ts';
import { CommandError, reported } from './terminal/command-action.ts';
import { examples } from './terminal/help-text.ts';
import { withOutputOption, writeOutput } from './terminal/output-file.ts';

const SKIPPED_SHOWN = 100;

const EXAMPLES = `
Writes rows for the table "location", or CSV, while the server runs. Static bindings are left out, and phones behind TCP, TLS or WebSocket
connections of Aorta's own: they register anew by themselves.

Examples:
  aorta location export --data /var/lib/aorta > location.sql && mysql kamailio < location.sql
  aorta location export --database sqlite --out location.sql
      Kamailio reads dates as its own local time: --timezone says which, where it is not this machine's
  aorta location export --format opensips --database postgres
  aorta location export --format csv --out location.csv
      "aorta location import location.csv" takes it back
`;

interface Options extends AdminOptions {
  readonly format: string;
  readonly database: string;
  readonly timezone?: string;
  readonly output?: string;
  readonly strict?: boolean;
}

/** @param location the command above it */
export function addExportCommand(location: Command): void {
  withOutputOption(withAdminOptions(location.command('export').copyInheritedSettings(location)))
    .description('write the bindings of a running server for Kamailio or OpenSIPS')
    .option('--format <name>', 'kamailio, opensips or csv', 'kamailio')
    .option('--database <name>', 'mysql, postgres or sqlite: how SQL is quoted', 'mysql')
    .option('--timezone <offset>', 'of dates for Kamailio: +HH:MM, -HH:MM or Z (default: this machine’s)')
    .option('--strict', 'exit with 1 where a binding was left out')
    .allowExcessArguments(false)
    .addHelpText('after', examples(EXAMPLES))
    .action(reported(exportLocation));
}

async function exportLocation(options: Options): Promise<void> {
  const context = {
    format: oneOf<ExportFormat>('--format', options.format, ['kamailio', 'opensips', 'csv']),
    database: oneOf<Database>('--database', options.database, DATABASES),
    zone: zone(options.timezone),
  };
  const client = new AdminClient(options);
  const { bindings } = await client.get<{ bindings: number }>('/v1/status');
  const { output } = options;
  const display = showProgress(process.stderr.isTTY && output !== undefined ? process.stderr : undefined, () => {});
  const skipped: string[] = [];
  let rows = 0;
  let seen = 0;
  await writeOutput(output, async (put) => {
    await put(headOf(context));
    for await (const { aor, contacts } of client.lines<{ aor: string; contacts: ExportedBinding[] }>('/v1/dump')) {
      for (const binding of contacts) {
        const row = rowOf(aor, binding, ++seen, context);
        if (typeof row === 'string') {
          rows++;
          await put(row);
        } else skipped.push(`${aor} ${binding.uri}: skipped: ${row.reason}`);
      }
      display.report('exporting bindings', seen, bindings);
    }
    await put(tailOf(context));
  });
  display.end();
  tell(rows, skipped, options.strict === true);
}

function tell(rows: number, skipped: readonly string[], strict: boolean): void {
  for (const line of skipped.slice(0, SKIPPED_SHOWN)) printError(`${line}\n`);
  if (skipped.length > SKIPPED_SHOWN) printError(`and ${skipped.length - SKIPPED_SHOWN} more\n`);
  printError(`exported ${rows}, skipped ${skipped.length}\n`);
  if (strict && skipped.length > 0) process.exitCode = 1;
}

function zone(text: string | undefined): number | undefined {
  try {
    return zoneOf(text);
  } catch (error) {
    throw new CommandError((error as Error).message, 2);
  }
}

function oneOf<T extends string>(flag: string, value: string, allowed: readonly T[]): T {
  const found = allowed.find((name) => name === value);
  if (found === undefined) throw new CommandError(`${flag}: expected ${allowed.join(', ')}, got "${value}"`, 2);
  return found;
}
