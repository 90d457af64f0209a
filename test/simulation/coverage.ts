// `npm run simulate:coverage`: which lines of the store and of a shard the simulated worlds run. V8 counts them; a source map leads from
// the bundle to the sources.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { SourceMap } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

const PROGRAM = '.build/test/covered-simulate.js';
/** What is to be covered. Files that only threads, LMDB or other nodes call lie below the seam or above it. */
const JUDGED = /^src\/(location\/(log|table|checkpoint)\/|location\/(record|write-set)\.ts|shard\/[^/]+\.ts)/;
const BESIDE =
  /lmdb|log-folder|log-files|log-reader|log-scrub|generation-file|generation-head|generation-size|checkpoint-files|process-clock|followed-frame|control-entry|table-copier/;

interface Range {
  readonly startOffset: number;
  readonly endOffset: number;
  readonly count: number;
}

interface Script {
  readonly url: string;
  readonly functions: readonly { readonly ranges: readonly Range[] }[];
}

/** By byte of the program: 1 where it has run. */
function ranIn(script: Script, length: number): Uint8Array {
  const ran = new Uint8Array(length);
  // From the outside to the inside, so that the innermost range decides.
  const ranges = script.functions.flatMap((one) => one.ranges);
  ranges.sort((a, b) => a.startOffset - b.startOffset || b.endOffset - a.endOffset);
  for (const { startOffset, endOffset, count } of ranges) ran.fill(count > 0 ? 1 : 0, startOffset, endOffset);
  return ran;
}

/** Runs a world and tells which bytes of the program have run. */
function run(world: string, seeds: string, length: number): Uint8Array {
  const directory = mkdtempSync(join(tmpdir(), 'aorta-coverage-'));
  try {
    const args = [PROGRAM, '--only', world, '--seeds', seeds, '--json'];
    const env = { ...process.env, NODE_V8_COVERAGE: directory };
    const done = spawnSync(process.execPath, args, { env, encoding: 'utf8', maxBuffer: 1 << 28 });
    if (done.status !== 0) throw new Error(`${world}: ${done.stdout}${done.stderr}`);
    const ran = new Uint8Array(length);
    for (const name of readdirSync(directory)) {
      const { result } = JSON.parse(readFileSync(join(directory, name), 'utf8')) as { result: Script[] };
      for (const script of result) {
        if (!script.url.endsWith(PROGRAM)) continue;
        for (const [at, one] of ranIn(script, length).entries()) ran[at] |= one;
      }
    }
    return ran;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** By file, by line: whether some of it has run. */
function linesOf(program: string, ran: Uint8Array): Map<string, Map<number, boolean>> {
  const map = new SourceMap(JSON.parse(readFileSync(`${PROGRAM}.map`, 'utf8')));
  const files = new Map<string, Map<number, boolean>>();
  let start = 0;
  for (const [number, line] of program.split('\n').entries()) {
    for (const { index } of line.matchAll(/[\w$"'`[({]+/g)) {
      const entry = map.findEntry(number, index);
      if (!('originalSource' in entry)) continue;
      const file = entry.originalSource.replace(/^(\.\.\/)+/, '');
      if (!JUDGED.test(file) || BESIDE.test(file)) continue;
      const lines = files.get(file) ?? new Map<number, boolean>();
      files.set(file, lines);
      const at = entry.originalLine + 1;
      lines.set(at, (lines.get(at) ?? false) || ran[start + index] === 1);
    }
    start += line.length + 1;
  }
  return files;
}

const HELP = `npm run simulate:coverage -- [options]

Says which lines of the store and of a shard the simulated worlds run.

  --seeds N   of the worlds store, shards and registrations each (600); cluster has 20
`;

function main(): void {
  const { values } = parseArgs({
    options: { seeds: { type: 'string', default: '600' }, help: { type: 'boolean', default: false } },
  });
  if (values.help) return void process.stdout.write(HELP);
  const args = ['scripts/bundle.js', 'test/simulation/main.ts', PROGRAM, 'test/simulation/small'];
  const bundled = spawnSync(process.execPath, args, { encoding: 'utf8' });
  if (bundled.status !== 0) throw new Error(bundled.stderr);
  const program = readFileSync(PROGRAM, 'utf8');
  const ran = new Uint8Array(program.length);
  // A cluster's seed takes a hundred times as long, and its world is always busy.
  const worlds = { store: values.seeds, shards: values.seeds, registrations: values.seeds, cluster: '20' };
  for (const [world, seeds] of Object.entries(worlds))
    for (const [at, one] of run(world, seeds, program.length).entries()) ran[at] |= one;
  let all = 0;
  let covered = 0;
  for (const [file, lines] of [...linesOf(program, ran)].sort(([a], [b]) => a.localeCompare(b))) {
    const missed = [...lines].filter(([, isCovered]) => !isCovered).map(([line]) => line);
    all += lines.size;
    covered += lines.size - missed.length;
    const share = (100 * (1 - missed.length / lines.size)).toFixed(1);
    console.log(
      `${file}: ${share}% of ${lines.size}${missed.length > 0 ? `; not ${missed.sort((a, b) => a - b).join(' ')}` : ''}`,
    );
  }
  console.log(`${((100 * covered) / all).toFixed(1)}% of ${all} lines`);
}

main();
