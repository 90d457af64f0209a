// What `aorta bench parse` does: which messages, what is printed, the codes it exits with. Measuring is parse-bench.ts.

import { readdirSync, readFileSync, statSync } from 'node:fs';
import { availableParallelism, cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { print, printError } from '../../server/process/terminal.ts';
import { PARSE_ERROR_TEXT } from '../../sip/parser/parse-error-text.ts';
import { MESSAGE_BYTES_MAX } from '../../sip/parser/slab.ts';
import { EXIT_USAGE } from '../terminal/exit-codes.ts';
import { installedParsers, type OtherParser } from './other-parsers.ts';
import { benchParse, type ParseBench, type Timing, timeTurns } from './parse-bench.ts';
import { TYPICAL_MESSAGES, variedMessages } from './sample-messages.ts';

const VARIED = 1024;
const SLOW_PARSER_MESSAGES = 64;

interface Options {
  readonly json?: boolean;
  readonly compare?: boolean;
  readonly seconds: string;
}

interface MessageSet {
  readonly name: string;
  readonly messages: readonly Buffer[];
}

interface Comparison {
  readonly parser: string;
  readonly version: string;
  readonly ns: Timing;
  /** How many times the time of Aorta's whole. */
  readonly times: number;
  /** Messages it did not take. */
  readonly refused: number;
}

interface Row extends ParseBench {
  readonly set: string;
  readonly compared: readonly Comparison[];
}

export async function run(path: string | undefined, options: Options): Promise<void> {
  const milliseconds = Number(options.seconds) * 1000;
  const sets = milliseconds > 0 ? messageSets(path) : `--seconds: '${options.seconds}' is no time`;
  if (typeof sets === 'string') {
    printError(`aorta: ${sets}\n`);
    process.exitCode = EXIT_USAGE;
    return;
  }
  const others = options.compare ? await installedParsers(process.cwd()) : [];
  const machine = { node: process.version, cpu: cpus()[0]?.model ?? 'unknown', cores: availableParallelism() };
  const loadBefore = loadavg()[0];
  const rows: Row[] = [];
  for (const { name, messages } of sets) {
    const row = benchParse(messages, milliseconds);
    const compared = others.map((other) => compare(other, messages, milliseconds / 2, row));
    rows.push({ set: name, ...row, compared });
  }
  if (options.json) print(`${JSON.stringify({ machine: { ...machine, loadBefore }, sets: rows })}\n`);
  else tell(rows, options.compare === true);
}

/** The messages, or what is wrong with the path. */
function messageSets(path: string | undefined): readonly MessageSet[] | string {
  if (path === undefined) {
    return [
      { name: 'typical', messages: TYPICAL_MESSAGES.map((text) => Buffer.from(text)) },
      { name: 'varied', messages: variedMessages(VARIED).map((text) => Buffer.from(text)) },
    ];
  }
  try {
    const isDirectory = statSync(path).isDirectory();
    const files = isDirectory ? filesBelow(path) : [path];
    const messages = files
      .map((file) => readFileSync(file))
      .filter(({ length }) => length > 0 && length <= MESSAGE_BYTES_MAX);
    return messages.length > 0 ? [{ name: path, messages }] : `${path}: no message of up to ${MESSAGE_BYTES_MAX} bytes`;
  } catch (error) {
    return `${path}: ${error instanceof Error ? error.message : String(error)}`;
  }
}

function filesBelow(path: string): string[] {
  return readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

function compare(other: OtherParser, messages: readonly Buffer[], milliseconds: number, mine: ParseBench): Comparison {
  const taken = messages.filter((message) => takes(other, message));
  const few = taken.slice(0, SLOW_PARSER_MESSAGES);
  const parse = () => {
    for (const message of few) other.parse(message);
  };
  timeTurns([parse], 1, milliseconds / 4);
  const [ns] =
    few.length > 0 ? timeTurns([parse], few.length, milliseconds) : [{ best: Number.NaN, median: Number.NaN }];
  const refused = messages.length - taken.length;
  return { parser: other.name, version: other.version, ns, times: ns.best / mine.whole.best, refused };
}

function takes(other: OtherParser, message: Buffer): boolean {
  try {
    return Boolean(other.parse(message));
  } catch {
    return false;
  }
}

function tell(rows: readonly Row[], compared: boolean): void {
  const line = (label: string, timing: Timing, more = '') =>
    `  ${label.padEnd(34)}${timing.best.toFixed(0).padStart(9)}${timing.median.toFixed(0).padStart(9)}${more}`;
  const percent = (share: number) => `${Math.round(share * 100)}%`;
  for (const row of rows) {
    const { shares } = row;
    const lines = [
      `${row.set}: ${row.messages} messages, ${row.meanBytes} bytes on average`,
      `  ${'ns per message'.padEnd(34)}${'best'.padStart(9)}${'median'.padStart(9)}`,
      line('copy in, parse, read 30 fields', row.whole, `   ${row.megabytesPerSecond.toFixed(0)} MB/s`),
      line('parse', row.parse),
      line('start line and header rows alone', row.index),
      ...row.compared.map((other) =>
        line(
          `${other.parser} ${other.version}`,
          other.ns,
          `   ${other.times.toFixed(0)} times${other.refused > 0 ? `, ${other.refused} messages refused` : ''}`,
        ),
      ),
      `  shares: copy in ${percent(shares.copyIn)}, header rows ${percent(shares.index)}, values ${percent(shares.values)}, read back ${percent(shares.readBack)}`,
      ...Object.entries(row.malformed).map(
        ([code, count]) => `  ${count} malformed: ${PARSE_ERROR_TEXT[Number(code)]}`,
      ),
    ];
    print(`${lines.join('\n')}\n`);
  }
  if (compared && rows[0]?.compared.length === 0)
    print('nothing to compare with: none of sip.js, jssip, sip, drachtio-srf is installed here\n');
}
