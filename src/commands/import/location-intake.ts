// `aorta location import`: bindings of another registrar into a data directory, before Aorta takes over. location-import
// reads the rows; the registrar of embedded.ts decides about each, as about any REGISTER.

import { BINDINGS_MAX } from '../../core/register/working-bindings.ts';
import { ConfigError } from '../../server/config/config-problem.ts';
import { readServed, unservedNote, writeServed } from '../../server/config/served-domains.ts';
import { DataDirectoryError } from '../../server/data/directory-error.ts';
import { actAsOwner, chownHint } from '../../server/data/owner.ts';
import { createRegistrar, type Registrar } from '../../server/embed/embedded.ts';
import { errorText } from '../../server/process/file-fault.ts';
import { showProgress } from '../../server/process/progress.ts';
import { print, printError } from '../../server/process/terminal.ts';
import { EXIT_FAILED, EXIT_USAGE } from '../terminal/exit-codes.ts';
import { InputFile, RowsError } from '../terminal/input-file.ts';
import { bindingOf, type ImportContext, type ImportedBinding, type LeftOut } from './location-import.ts';
import { readLocations } from './location-sources.ts';
import { zoneOf } from './time-zone.ts';

/** Requests that await their answer at a time. */
const WINDOW = 512;
const SKIPPED_SHOWN = 100;
const DOMAINS_SHOWN = 10;
/** Longer than any registrar grants; remaining lifetimes are copied unchanged. */
const EXPIRES_MAX_S = 4_000_000;

const THERE: LeftOut = { rule: 'there already, from this request or a later one' };

/** Notes a skipped row: faulty, or left out by rule. */
type Skip = (line: number, why: string | LeftOut) => void;

interface Options {
  readonly data: string;
  readonly domain?: string;
  readonly timezone?: string;
  readonly dryRun?: boolean;
  readonly shards?: string;
  readonly encoding?: string;
  readonly strict?: boolean;
}

interface Report {
  imported: number;
  /** Rows left out by rule. */
  leftOut: number;
  /** Faulty rows. */
  faulty: number;
  readonly domains: Map<string, number>;
  readonly reasons: { readonly line: number; readonly reason: string }[];
}

export async function importLocation(name: string, options: Options): Promise<void> {
  const began = performance.now();
  try {
    const zone = zoneOf(options.timezone);
    const served = readServed(options.data);
    const file = InputFile.open(name);
    if (!options.dryRun) actAsOwner(options.data);
    await file.settle(options.encoding);
    const context = { zone, now: Date.now(), ...(options.domain !== undefined && { domain: options.domain }) };
    const display = showProgress(process.stderr.isTTY ? process.stderr : undefined, () => {});
    const report = await run(file, context, options, (bytes, done) =>
      display.report('bindings', bytes, file.size, done),
    ).finally(display.end);
    tell(report, served, name, options, (performance.now() - began) / 1000);
    if (report.faulty > 0 || (options.strict && report.leftOut > 0)) process.exitCode = EXIT_FAILED;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    printError(`aorta: ${errorText(error)}\n`);
    const isUsage = error instanceof RangeError || error instanceof ConfigError;
    if (!isUsage && !(error instanceof RowsError || error instanceof DataDirectoryError) && code === undefined)
      throw error;
    process.exitCode = isUsage ? EXIT_USAGE : EXIT_FAILED;
  }
}

async function run(
  file: InputFile,
  context: ImportContext,
  options: Options,
  progress: (bytes: number, done: number) => void,
): Promise<Report> {
  const report: Report = { imported: 0, leftOut: 0, faulty: 0, domains: new Map(), reasons: [] };
  const skip: Skip = (line, why) => {
    const byRule = typeof why !== 'string';
    if (byRule) report.leftOut++;
    else report.faulty++;
    if (report.reasons.length < SKIPPED_SHOWN) report.reasons.push({ line, reason: byRule ? why.rule : why });
  };
  let bytes = 0;
  const rows = await readLocations(file, (read) => {
    bytes = read;
  });
  const count = (binding: ImportedBinding): void => {
    report.imported++;
    const domain = binding.aor.slice(binding.aor.lastIndexOf('@') + 1).toLowerCase();
    report.domains.set(domain, (report.domains.get(domain) ?? 0) + 1);
  };
  const intake = options.dryRun ? undefined : await Intake.open(options, count, skip);
  try {
    let sequence = 0;
    for await (const row of rows) {
      const binding = bindingOf(row, ++sequence, context);
      if (typeof binding === 'string' || 'rule' in binding) skip(row.line, binding);
      else if (intake === undefined) count(binding);
      else if (intake.has(binding)) skip(row.line, THERE);
      else await intake.register(sequence, row.line, binding);
      if (sequence % 1000 === 0) progress(bytes, report.imported);
    }
    await intake?.finished();
    return report;
  } finally {
    await intake?.close();
  }
}

/** A registrar of the data directory that processes the rows' requests, some hundred at a time. */
class Intake {
  private readonly registrar: Registrar;
  private readonly data: string;
  private readonly served: string[] | undefined;
  /** Line in the file and its binding, by number of the request. */
  private readonly waiting = new Map<number, { line: number; binding: ImportedBinding }>();
  private resume: (() => void) | undefined;
  private readonly answered: (sequence: number, status: string) => void;
  private readonly skip: Skip;

  private constructor(
    data: string,
    served: string[] | undefined,
    registrar: Registrar,
    answered: (line: number, binding: ImportedBinding, status: string) => void,
    skip: Skip,
  ) {
    this.skip = skip;
    this.data = data;
    this.served = served;
    this.registrar = registrar;
    this.answered = (sequence, status) => {
      const asked = this.waiting.get(sequence);
      if (asked === undefined) return;
      this.waiting.delete(sequence);
      answered(asked.line, asked.binding, status);
      this.resume?.();
    };
  }

  static async open(options: Options, imported: (binding: ImportedBinding) => void, skip: Skip): Promise<Intake> {
    const served = readServed(options.data);
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
    const answered = (line: number, binding: ImportedBinding, status: string) => {
      if (status.startsWith('200')) imported(binding);
      else if (status.startsWith('500 Stale')) skip(line, THERE);
      else skip(line, `the registrar answers ${status}`);
    };
    const intake = new Intake(options.data, served, registrar, answered, skip);
    await registrar.start();
    return intake;
  }

  /** Whether the same request, or a later one of its dialog, has made a binding already. */
  has({ aor, contact, callId, cseq }: ImportedBinding): boolean {
    try {
      const { contacts, fallbacks } = this.registrar.lookup(aor);
      return [...contacts, ...fallbacks].some(
        (one) => one.uri === contact && one.callId === callId && one.cseq >= cseq,
      );
    } catch {
      return false; // an invalid AOR: the registrar's answer has the reason
    }
  }

  async register(sequence: number, line: number, binding: ImportedBinding): Promise<void> {
    this.waiting.set(sequence, { line, binding });
    try {
      this.registrar.handle(Buffer.from(binding.message), binding.source);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      this.waiting.delete(sequence);
      this.skip(line, error.message); // longer than the limit of messages
    }
    await this.below(WINDOW);
  }

  finished(): Promise<void> {
    return this.below(1);
  }

  /** Restores the list of served domains: the import accepts others than the server. */
  async close(): Promise<void> {
    await this.registrar.stop();
    writeServed(this.data, this.served);
  }

  private async below(count: number): Promise<void> {
    while (this.waiting.size >= count) await new Promise<void>((resume) => (this.resume = resume));
  }
}

function tell(report: Report, served: string[] | undefined, file: string, options: Options, seconds: number): void {
  const { imported, leftOut, faulty, domains, reasons } = report;
  for (const { line, reason } of reasons) printError(`${file}:${line}: skipped: ${reason}\n`);
  const hidden = leftOut + faulty - reasons.length;
  if (hidden > 0) printError(`and ${hidden} more\n`);
  const names = [...domains].sort(([, a], [, b]) => b - a);
  const shown = names.slice(0, DOMAINS_SHOWN).map(([name, count]) => `${name} ${count}`);
  if (names.length > DOMAINS_SHOWN) shown.push(`${names.length - DOMAINS_SHOWN} more`);
  const hint = options.dryRun ? '' : chownHint(options.data);
  if (hint !== '') printError(`${hint}\n`);
  printError(unservedNote(served, domains.keys()));
  const verb = options.dryRun ? 'would import' : 'imported';
  print(
    `${verb} ${imported}, skipped ${leftOut + faulty} (${leftOut} by rule) in ${seconds.toFixed(1)} s\n` +
      (shown.length > 0 ? `by domain: ${shown.join(', ')}\n` : ''),
  );
}
