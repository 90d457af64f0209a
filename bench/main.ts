// `npm run bench`: one program of questions. Tables on stdout, progress on stderr.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { ACCOUNT_QUESTION } from './account/question.ts';
import { ADMIN_QUESTION } from './admin/question.ts';
import { SCRAPE_QUESTION } from './admin/scrape.ts';
import { type Bar, barChart, barsIn } from './chart.ts';
import { endChildren, tied } from './children.ts';
import { CLUSTER_QUESTIONS } from './cluster/questions.ts';
import { resultsIn, withResults } from './document.ts';
import { withinLimit } from './limit.ts';
import { LOAD_QUESTIONS } from './load/questions.ts';
import { LOOKUPS_QUESTION } from './lookups/question.ts';
import { NATIVE_QUESTION } from './native/question.ts';
import { PART_QUESTIONS } from './parts/questions.ts';
import { Missing, type Question, type Table } from './question.ts';
import { markdownTable } from './results.ts';
import { partProgram, root } from './root.ts';
import { flagHelp, Settings } from './settings.ts';
import { READ_MODEL_QUESTION } from './shared-location/question.ts';
import { FILL_QUESTION, STORE_QUESTIONS } from './store/questions.ts';
import { STORM_QUESTION } from './storm/question.ts';
import { CONNECTIONS_QUESTION } from './streams/connections.ts';
import { CYCLES_QUESTION } from './streams/cycles.ts';
import { HANDSHAKES_QUESTION } from './streams/handshakes.ts';

const QUESTIONS: readonly Question[] = [
  ...LOAD_QUESTIONS,
  ACCOUNT_QUESTION,
  LOOKUPS_QUESTION,
  STORM_QUESTION,
  CONNECTIONS_QUESTION,
  HANDSHAKES_QUESTION,
  CYCLES_QUESTION,
  ...STORE_QUESTIONS,
  READ_MODEL_QUESTION,
  ADMIN_QUESTION,
  SCRAPE_QUESTION,
  ...CLUSTER_QUESTIONS,
  NATIVE_QUESTION,
  ...PART_QUESTIONS,
];
const ALL = [...QUESTIONS, FILL_QUESTION];

const INTERRUPTED_MS = 5000;
/** That a process may be late with telling that its question failed. */
const LATE_S = 5;

const HELP = `npm run bench -- QUESTION… [options]

Measures what it is asked: npm run bench -- --list. "all" is every question but fill.

${flagHelp()}

Examples
  npm run bench -- refresh register                             beside Kamailio, about four minutes
  npm run bench -- refresh --only durable --against ../other/dist/cli.js    before and after a change
  npm run bench -- restart costs --aors 10000000                8 GB of disk, 4 GB of memory
  npm run bench -- all --markdown                               the tables of docs/benchmarks.md
  npm run bench -- all --small                                  does each run

Figures are worth something when nothing else runs; where that cannot be had, --quiet 20 keeps to the quiet moments.
`;

interface Answer {
  readonly question: string;
  /** Which build, where --against names another. */
  readonly build: 'this' | 'that' | undefined;
  readonly tables: readonly Table[];
  /** Why there is no answer. */
  readonly failed?: string;
}

async function ask(question: Question, settings: Settings, build?: 'this' | 'that'): Promise<Answer> {
  const { name } = question;
  settings.tell(`== ${name}${build === undefined ? '' : `, ${build} build`}`);
  try {
    const inOwnProcess = question.against === 'no' && settings.questions.join() !== name;
    // Its process keeps the limit itself, and is killed where it does not.
    const limitS = settings.limitS + (inOwnProcess ? LATE_S : 0);
    const work = inOwnProcess ? askElsewhere(name, settings) : question.run(settings);
    const tables = await withinLimit(limitS, work, () => settings.lastTold);
    return { question: name, build, tables };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    const tables = [{ head: [name], rows: [[`not measured: ${why.split('\n')[0]}`]] }];
    if (error instanceof Missing) return { question: name, build, tables };
    await endChildren(); // what it started is in the next one's way
    settings.tell(`${name} failed: ${why}`);
    process.exitCode = 1;
    return { question: name, build, tables, failed: why };
  }
}

/** Code that this process would run is measured in a fresh one: what ran before has shaped its compiler, heap and threads. */
async function askElsewhere(name: string, settings: Settings): Promise<readonly Table[]> {
  const args = [partProgram('main'), name, '--json', ...settings.forChild];
  const child = tied(spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'], signal: settings.signal }));
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  await once(child, 'close');
  const json = text.split('\n').find((line) => line.startsWith('{'));
  if (json === undefined) throw new Error(`its process ended with ${child.exitCode ?? child.signalCode}`);
  const [answer] = (JSON.parse(json) as { answers: Answer[] }).answers;
  if (answer.failed !== undefined) throw new Error(answer.failed);
  return answer.tables;
}

async function askBuilds(question: Question, settings: Settings, other: Settings | undefined): Promise<Answer[]> {
  if (other === undefined || question.against !== 'twice') return [await ask(question, settings)];
  return [await ask(question, settings, 'this'), await ask(question, other, 'that')];
}

function markdownOf({ build, tables }: Answer): string {
  const parts = tables.map(({ head, rows, note }) => {
    const [first, ...rest] = head;
    const table = markdownTable([build === undefined ? first : `${first}, ${build} build`, ...rest], rows);
    return note === undefined ? table : `${table}\n\n${note}`;
  });
  return parts.join('\n\n');
}

function machineLine(loadBefore: number): string {
  const model = cpus()[0]?.model ?? 'unknown CPU';
  const day = new Date().toISOString().slice(0, 10);
  return `${day}, Node ${process.version}, ${availableParallelism()} cores (${model}), load before ${loadBefore.toFixed(2)}.`;
}

function writeDocument(file: string, answers: readonly Answer[], machine: string): void {
  let text = readFileSync(file, 'utf8');
  for (const name of new Set(answers.map(({ question }) => question))) {
    const mine = answers.filter(({ question, failed }) => question === name && failed === undefined);
    if (mine.length > 0) text = withResults(text, name, `${mine.map(markdownOf).join('\n\n')}\n\n${machine}`);
  }
  const bars = barsIn(text, resultsIn(text, 'chart'), barsOf(answers));
  if (bars.length > 0) text = withResults(text, 'chart', chartOf(bars));
  writeFileSync(file, text);
}

function barsOf(answers: readonly Answer[]): readonly Bar[] {
  return answers.flatMap(({ tables }) => tables.flatMap((table) => table.bars ?? []));
}

function chartOf(bars: readonly Bar[]): string {
  return `\`\`\`text\n${barChart(bars)}\n\`\`\``;
}

function chosen(settings: Settings): readonly Question[] {
  const names = settings.questions;
  if (names.includes('all')) return QUESTIONS;
  return names.map((name) => {
    const found = ALL.find((question) => question.name === name);
    if (found === undefined) throw new Error(`"${name}" is no question: npm run bench -- --list has them`);
    return found;
  });
}

function listText(): string {
  return ALL.map(({ name, asks }) => `${name.padEnd(15)} ${asks}\n`).join('');
}

async function main(signal: AbortSignal): Promise<void> {
  const settings = new Settings(process.argv.slice(2), signal);
  if (settings.has('list')) return void process.stdout.write(listText());
  if (settings.has('help') || settings.questions.length === 0) return void process.stdout.write(HELP);
  const file = settings.text('document');
  if (settings.isSmall && settings.has('markdown') && file === undefined)
    throw new Error('small figures are no results: --markdown with --small needs --document');
  const questions = chosen(settings);
  const machine = machineLine(loadavg()[0]);
  const other = settings.against === undefined ? undefined : settings.of(settings.against);
  const answers: Answer[] = [];
  try {
    for (const question of questions) {
      if (signal.aborted) break;
      const some = await askBuilds(question, settings, other);
      answers.push(...some);
      if (!settings.has('json')) console.log(`${some.map(markdownOf).join('\n\n')}\n`);
    }
  } finally {
    settings.removeMade();
    other?.removeMade();
  }
  const bars = barsOf(answers);
  if (settings.has('json')) console.log(JSON.stringify({ machine, asked: process.argv.slice(2), answers }));
  else if (bars.length > 0) console.log(chartOf(bars));
  if (settings.has('markdown')) writeDocument(file ?? join(root, 'docs/benchmarks.md'), answers, machine);
}

const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => {
    interrupted.abort();
    // A question that does not listen is ended with its servers (children.ts).
    setTimeout(() => process.exit(1), INTERRUPTED_MS).unref();
  });
process.setMaxListeners(100);
await main(interrupted.signal).catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
// What is left of a question that failed may not come to its end.
if (process.exitCode === 1) process.exit();
