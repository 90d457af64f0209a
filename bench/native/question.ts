// The C parsers of Debian's packages over the corpus that `aorta bench parse` uses, beside Aorta's in the same run, turn by turn. A
// library that is not installed has a row that names its package.

import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { benchParse } from '../../src/commands/bench/parse-bench.ts';
import { TYPICAL_MESSAGES, variedMessages } from '../../src/commands/bench/sample-messages.ts';
import type { Question, Table } from '../question.ts';
import { grouped } from '../results.ts';
import { root } from '../root.ts';
import { atLeast, type Row, targetTable } from '../rows.ts';
import type { Settings } from '../settings.ts';

interface Harness {
  readonly library: string;
  readonly source: string;
  /** pkg-config's name of it, and Debian's. */
  readonly module: string;
  readonly debian: string;
}

interface Result {
  readonly best: number;
  readonly median: number;
  readonly refused: number;
}

const HARNESSES: readonly Harness[] = [
  { library: 'osip2', source: 'osip2.c', module: 'libosip2', debian: 'libosip2-dev' },
  { library: 'sofia-sip', source: 'sofia.c', module: 'sofia-sip-ua', debian: 'libsofia-sip-ua-dev' },
  { library: 'libre', source: 're.c', module: 'libre', debian: 'libre-dev' },
];

const TURNS = 3;
const WHOLE = 'Aorta: copy in, parse, read 30 fields';
const INDEX = 'Aorta: start line and header rows alone';
/** Times that Aorta's whole has to be quicker. */
const WANTED: Readonly<Record<string, number>> = { 'sofia-sip': 8, osip2: 13 };
const build = join(root, '.build/native');

function output(command: string, args: readonly string[]): string | null {
  const run = spawnSync(command, args, { encoding: 'utf8' });
  if (run.status === 0) return run.stdout.trim();
  if (run.stderr) process.stderr.write(run.stderr);
  return null;
}

/** The harness's program, or why it cannot be built. */
function harnessProgram({ library, source, module, debian }: Harness): { program: string } | { why: string } {
  const flags = spawnSync('pkg-config', ['--cflags', '--libs', module], { encoding: 'utf8' });
  if (flags.status !== 0) return { why: `not installed (Debian: ${debian} and pkg-config)` };
  const program = join(build, library);
  const more = (process.env.LDFLAGS ?? '').split(/\s+/).filter(Boolean);
  const args = ['-O2', '-o', program, join(root, 'bench/native', source), ...flags.stdout.trim().split(/\s+/), ...more];
  return output('cc', args) === null ? { why: 'the harness does not compile (Debian: gcc)' } : { program };
}

function writeCorpus(name: string, texts: readonly string[]): string {
  const path = join(build, `${name}.corpus`);
  const parts = texts.flatMap((text) => {
    const head = Buffer.alloc(4);
    head.writeUInt32LE(Buffer.byteLength(text));
    return [head, Buffer.from(text)];
  });
  writeFileSync(path, Buffer.concat(parts));
  return path;
}

const least = (results: readonly Result[]): Result => results.reduce((a, b) => (b.best < a.best ? b : a));

type Programs = readonly (readonly [library: string, found: ReturnType<typeof harnessProgram>])[];

function corpusTables(name: string, texts: readonly string[], programs: Programs, seconds: number): Table[] {
  const corpus = writeCorpus(name, texts);
  const messages = texts.map((text) => Buffer.from(text));
  const results = new Map<string, Result[]>();
  const add = (parser: string, result: Result) => results.set(parser, [...(results.get(parser) ?? []), result]);
  for (let turn = 0; turn < TURNS; turn++) {
    const mine = benchParse(messages, seconds * 1000);
    add(WHOLE, { ...mine.whole, refused: 0 });
    add(INDEX, { ...mine.index, refused: 0 });
    for (const [library, found] of programs) {
      const text = 'program' in found ? output(found.program, [corpus, String(seconds)]) : null;
      if (text !== null) add(`${library}: full tree`, JSON.parse(text) as Result);
    }
  }
  const whole = least(results.get(WHOLE) ?? []).best;
  const rows = [...results].map(([parser, all]) => {
    const { best, median, refused } = least(all);
    return [parser, grouped(best), grouped(median), (best / whole).toFixed(1), String(refused)];
  });
  const absent = programs.flatMap(([library, found]) =>
    'why' in found ? [[`${library}: ${found.why}`, '-', '-', '-', '-']] : [],
  );
  const head = [`${name}, ${texts.length} messages`, 'best ns', 'median ns', 'times', 'refused'];
  const limits = name === 'varied' ? timesQuicker(results, whole) : [];
  const table = { head, rows: [...rows, ...absent], data: [...results] };
  return limits.length === 0 ? [table] : [table, targetTable(limits)];
}

function timesQuicker(results: ReadonlyMap<string, readonly Result[]>, whole: number): Row[] {
  return Object.entries(WANTED).flatMap(([library, times]) => {
    const theirs = results.get(`${library}: full tree`);
    return theirs === undefined
      ? []
      : [atLeast(`varied: ${library} / Aorta`, [least(theirs).best / whole], times, 1, 'x')];
  });
}

async function run(settings: Settings): Promise<Table[]> {
  mkdirSync(build, { recursive: true });
  const seconds = settings.number('seconds', 1, 0.05);
  const programs = HARNESSES.map((harness) => [harness.library, harnessProgram(harness)] as const);
  return [
    ...corpusTables('typical', TYPICAL_MESSAGES, programs, seconds),
    ...corpusTables('varied', variedMessages(1024), programs, seconds),
  ];
}

export const NATIVE_QUESTION: Question = {
  name: 'native',
  asks: 'the parser beside libosip2, sofia-sip and libre',
  against: 'no',
  run,
};
