// `aorta bench parse`: its messages, its comparisons, its exit codes. parse-bench.ts measures.

import { writeFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg } from 'node:os';
import { print, printError } from '../../server/process/terminal.ts';
import { EXIT_FAILED, EXIT_USAGE } from '../terminal/exit-codes.ts';
import { type MessageSet, readMessages } from './message-files.ts';
import { installedParsers, type OtherParser } from './other-parsers.ts';
import { benchParse, type ParseBench, timeTurns } from './parse-bench.ts';
import { type Comparison, chart, markdownReport, type Row, textReport } from './parse-report.ts';
import { TYPICAL_MESSAGES, variedMessages } from './sample-messages.ts';

const VARIED = 1024;
const SLOW_PARSER_MESSAGES = 64;

interface Options {
  readonly json?: boolean;
  readonly markdown?: boolean;
  readonly svg?: string;
  readonly compare?: boolean;
  readonly seconds: string;
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
  for (const { name, messages, origins, notes } of sets) {
    const row = benchParse(messages, milliseconds);
    const compared = others.map((other) => compare(other, messages, milliseconds / 2, row));
    rows.push({ set: name, ...row, messagesPerSecond: 1e9 / row.whole.best, origins, notes, compared });
  }
  if (options.svg !== undefined) draw(options.svg, chart(rows, machine));
  if (options.json) print(`${JSON.stringify({ machine: { ...machine, loadBefore }, sets: rows.map(plain) })}\n`);
  else print(options.markdown ? markdownReport(rows, machine) : textReport(rows));
  if (options.compare && others.length === 0 && !options.json)
    print('nothing to compare with: none of sip.js, jssip, sip, drachtio-srf is installed here\n');
}

/** A row without the names of well-formed messages. */
function plain({ origins, faults, ...row }: Row): object {
  return { ...row, faults: faults.map(({ message, ...fault }) => ({ message: origins[message], ...fault })) };
}

function draw(file: string, svg: string): void {
  try {
    writeFileSync(file, svg);
  } catch (error) {
    printError(`aorta: --svg: ${(error as Error).message}\n`);
    process.exitCode = EXIT_FAILED;
  }
}

/** The messages, or the fault of the path. */
function messageSets(path: string | undefined): readonly MessageSet[] | string {
  if (path === undefined) return [shipped('typical', TYPICAL_MESSAGES), shipped('varied', variedMessages(VARIED))];
  const set = readMessages(path);
  return typeof set === 'string' ? set : [set];
}

function shipped(name: string, texts: readonly string[]): MessageSet {
  const origins = texts.map((_, i) => `${name} message ${i + 1}`);
  return { name, messages: texts.map((text) => Buffer.from(text)), origins, notes: [] };
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
