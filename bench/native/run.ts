// `npm run bench:native`: the C parsers of Debian's packages over the corpus that `aorta bench parse` uses, beside Aorta's in
// the same run, turn by turn. A library that is not installed is skipped with a word.

import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { benchParse } from '../../src/commands/bench/parse-bench.ts';
import { TYPICAL_MESSAGES, variedMessages } from '../../src/commands/bench/sample-messages.ts';
import { grouped, markdownTable } from '../results.ts';

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
const [seconds = 1] = process.argv.slice(2).map(Number);
const build = '.build/native';
mkdirSync(build, { recursive: true });

function output(command: string, args: readonly string[]): string | null {
  const run = spawnSync(command, args, { encoding: 'utf8' });
  if (run.status === 0) return run.stdout.trim();
  if (run.stderr) process.stderr.write(run.stderr);
  return null;
}

/** The harness's program, or null where it cannot be built. */
function compiled({ library, source, module, debian }: Harness): string | null {
  const flags = spawnSync('pkg-config', ['--cflags', '--libs', module], { encoding: 'utf8' });
  if (flags.status !== 0) {
    console.log(`${library}: skipped, not installed (Debian: ${debian} and pkg-config)`);
    return null;
  }
  const program = `./${join(build, library)}`;
  const more = (process.env.LDFLAGS ?? '').split(/\s+/).filter(Boolean);
  const args = ['-O2', '-o', program, `bench/native/${source}`, ...flags.stdout.trim().split(/\s+/), ...more];
  if (output('cc', args) !== null) return program;
  console.log(`${library}: skipped, the harness does not compile`);
  return null;
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

const programs = HARNESSES.map((harness) => [harness.library, compiled(harness)] as const);
for (const [name, texts] of [
  ['typical', TYPICAL_MESSAGES],
  ['varied', variedMessages(1024)],
] as const) {
  const corpus = writeCorpus(name, texts);
  const messages = texts.map((text) => Buffer.from(text));
  const results = new Map<string, Result[]>();
  const add = (parser: string, result: Result) => results.set(parser, [...(results.get(parser) ?? []), result]);
  for (let turn = 0; turn < TURNS; turn++) {
    const mine = benchParse(messages, seconds * 1000);
    add('Aorta: copy in, parse, read 30 fields', { ...mine.whole, refused: 0 });
    add('Aorta: start line and header rows alone', { ...mine.index, refused: 0 });
    for (const [library, program] of programs) {
      const text = program === null ? null : output(program, [corpus, String(seconds)]);
      if (text !== null) add(`${library}: full tree`, JSON.parse(text) as Result);
    }
  }
  const whole = least(results.get('Aorta: copy in, parse, read 30 fields') ?? []).best;
  const rows = [...results].map(([parser, all]) => {
    const { best, median, refused } = least(all);
    return [parser, grouped(best), grouped(median), (best / whole).toFixed(1), String(refused)];
  });
  console.log(`\n${name}, ${texts.length} messages\n`);
  console.log(markdownTable(['parser', 'best ns', 'median ns', 'times', 'refused'], rows));
}
