// `aorta location import`: bindings of Kamailio or OpenSIPS into a data directory, before Aorta takes over. What a row means is
// location-import's; the registrar of embedded.ts decides about each, as about any REGISTER. The way back is export-command's.

import { createReadStream, statSync } from 'node:fs';
import type { Command } from 'commander';
import { BINDINGS_MAX } from '../registrar/working-bindings.ts';
import { addExportCommand } from './commands/export-command.ts';
import { DEFAULT_CONFIG } from './config.ts';
import { DataDirectoryError } from './directory-error.ts';
import { createRegistrar, type Registrar } from './embedded.ts';
import { bindingOf, type ImportContext } from './location-import.ts';
import { RowsError, readTableRows, type TableRow } from './table-rows.ts';
import { zoneOf } from './time-zone.ts';
import { looksLikeUlDump, readUlDump } from './ul-dump.ts';

const EXIT_FAILED = 1;
const EXIT_USAGE = 2;
const LOCATION = { table: 'location', column: 'contact', example: 'username,domain,contact,expires,callid,cseq' };
/** Requests whose answer is awaited at a time. */
const WINDOW = 512;
const SKIPPED_SHOWN = 100;
/** Longer than any registrar grants; what is left is copied as it is. */
const EXPIRES_MAX_S = 4_000_000;

const EXAMPLES = `
Reads the table "location" of Kamailio or OpenSIPS as SQL (mysqldump, sqlite3 .dump, pg_dump --inserts) or CSV with a header row,
or what "kamcmd ul.dump" prints. Aorta must not be running on the data directory. Phones behind TCP, TLS or WebSocket
connections are skipped unless a proxy's Path leads to them: they register anew by themselves.

Examples:
  mysqldump --no-tablespaces kamailio location > location.sql
  aorta location import location.sql --data /var/lib/aorta
  kamcmd ul.dump > dump.txt && aorta location import dump.txt --domain example.com
  aorta location import location.csv --timezone +02:00 --dry-run
      dates in the table are local times of the old server; they are taken as this machine's unless told otherwise
`;

interface Options {
  readonly data: string;
  readonly domain?: string;
  readonly timezone?: string;
  readonly dryRun?: boolean;
  readonly shards?: string;
}

interface Report {
  imported: number;
  skipped: number;
  readonly reasons: { readonly line: number; readonly reason: string }[];
}

/** Adds the command `location` to the root. */
export function addLocationCommand(root: Command): void {
  const location = root
    .command('location')
    .copyInheritedSettings(root)
    .description('bindings from and for other registrars');
  location.addHelpText('after', EXAMPLES);
  location
    .command('import <file>')
    .copyInheritedSettings(root)
    .description('take over the bindings of a Kamailio or OpenSIPS')
    .option('--data <dir>', 'data directory', DEFAULT_CONFIG.data)
    .option('--domain <name>', 'domain of rows that name none (use_domain off)')
    .option('--timezone <offset>', 'of the dates in the table: +HH:MM, -HH:MM or Z (default: this machine’s)')
    .option('--shards <n>', 'shards of a new data directory')
    .option('--dry-run', 'read the file and say what would be skipped; change nothing')
    .allowExcessArguments(false)
    .addHelpText('after', EXAMPLES)
    .action(importLocation);
  addExportCommand(location);
}

async function importLocation(file: string, options: Options): Promise<void> {
  const began = performance.now();
  try {
    const zoneMinutes = zoneOf(options.timezone);
    const size = statSync(file).size;
    const context = { zoneMinutes, now: Date.now(), ...(options.domain !== undefined && { domain: options.domain }) };
    const terminal = process.stderr.isTTY;
    const report = await run(file, context, options, (bytes, done) => {
      const percent = Math.floor((100 * bytes) / Math.max(1, size));
      if (terminal) process.stderr.write(`\r\u001b[2K${percent}%  ${done.toLocaleString('en-US')} bindings`);
    });
    if (terminal) process.stderr.write('\r\u001b[2K');
    print(report, file, options.dryRun === true, (performance.now() - began) / 1000);
    if (report.skipped > 0) process.exitCode = EXIT_FAILED;
  } catch (error) {
    const { message, syscall } = error as NodeJS.ErrnoException;
    process.stderr.write(`aorta: ${message}\n`);
    const isUsage = error instanceof RangeError;
    if (!isUsage && !(error instanceof RowsError || error instanceof DataDirectoryError) && syscall === undefined)
      throw error;
    process.exitCode = isUsage ? EXIT_USAGE : EXIT_FAILED;
  }
}

async function rowsOf(file: string, progress: (bytes: number) => void): Promise<AsyncGenerator<TableRow>> {
  let head = '';
  for await (const chunk of createReadStream(file, { encoding: 'utf8', end: 4096 })) head += chunk;
  return looksLikeUlDump(head) ? readUlDump(file, progress) : readTableRows(file, LOCATION, progress);
}

async function run(
  file: string,
  context: ImportContext,
  options: Options,
  progress: (bytes: number, done: number) => void,
): Promise<Report> {
  const report: Report = { imported: 0, skipped: 0, reasons: [] };
  const skip = (line: number, reason: string): void => {
    report.skipped++;
    if (report.reasons.length < SKIPPED_SHOWN) report.reasons.push({ line, reason });
  };
  let bytes = 0;
  const rows = await rowsOf(file, (read) => {
    bytes = read;
  });
  const intake = options.dryRun ? undefined : await Intake.open(options, report, skip);
  try {
    let sequence = 0;
    for await (const row of rows) {
      const binding = bindingOf(row, ++sequence, context);
      if (typeof binding === 'string') skip(row.line, binding);
      else if (intake === undefined) report.imported++;
      else await intake.take(sequence, row.line, Buffer.from(binding.message), binding.source);
      if (sequence % 1000 === 0) progress(bytes, report.imported);
    }
    await intake?.finished();
    return report;
  } finally {
    await intake?.close();
  }
}

/** A registrar of the data directory that takes what the rows say, some hundred at a time. */
class Intake {
  private readonly registrar: Registrar;
  /** Line in the file, by number of the request. */
  private readonly waiting = new Map<number, number>();
  private resume: (() => void) | undefined;
  private readonly answered: (sequence: number, status: string) => void;

  private constructor(registrar: Registrar, answered: (line: number, status: string) => void) {
    this.registrar = registrar;
    this.answered = (sequence, status) => {
      const line = this.waiting.get(sequence);
      if (line === undefined) return;
      this.waiting.delete(sequence);
      answered(line, status);
      this.resume?.();
    };
  }

  static async open(options: Options, report: Report, skip: (line: number, reason: string) => void): Promise<Intake> {
    const registrar = createRegistrar({
      data: options.data,
      ...(options.shards !== undefined && { shards: options.shards }),
      domains: ['*'],
      auth: 'none',
      abuse: { enabled: false },
      policy: {
        minExpires: 1,
        maxExpires: EXPIRES_MAX_S,
        expiresJitter: 0,
        contactsPerAor: BINDINGS_MAX,
        overloadTargetMs: 0,
      },
      send: (bytes) => {
        const text = bytes.toString('latin1');
        const sequence = Number(/;branch=z9hG4bKimport(\d+)/.exec(text)?.[1]);
        intake.answered(sequence, /^SIP\/2\.0 (.*)/.exec(text)?.[1] ?? '');
      },
    });
    const intake = new Intake(registrar, (line, status) => {
      if (status.startsWith('200')) report.imported++;
      else if (status.startsWith('500 Stale')) skip(line, 'there already, from this request or a later one');
      else skip(line, `the registrar answers ${status}`);
    });
    await registrar.start();
    return intake;
  }

  async take(sequence: number, line: number, bytes: Buffer, source: Parameters<Registrar['handle']>[1]): Promise<void> {
    this.waiting.set(sequence, line);
    this.registrar.handle(bytes, source);
    await this.below(WINDOW);
  }

  finished(): Promise<void> {
    return this.below(1);
  }

  close(): Promise<void> {
    return this.registrar.stop();
  }

  private async below(count: number): Promise<void> {
    while (this.waiting.size >= count) await new Promise<void>((resume) => (this.resume = resume));
  }
}

function print(report: Report, file: string, dryRun: boolean, seconds: number): void {
  for (const { line, reason } of report.reasons) process.stderr.write(`${file}:${line}: skipped: ${reason}\n`);
  const hidden = report.skipped - report.reasons.length;
  if (hidden > 0) process.stderr.write(`and ${hidden} more\n`);
  const verb = dryRun ? 'would import' : 'imported';
  process.stdout.write(`${verb} ${report.imported}, skipped ${report.skipped} in ${seconds.toFixed(1)} s\n`);
}
