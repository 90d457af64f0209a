// The one set of flags. A question names its own default for each number, and a small one for --small.

import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { root } from './root.ts';

/** Each flag's argument ('' for none) and its sentence. */
const FLAGS = {
  list: ['', 'print the questions, and run nothing'],
  help: ['', 'print this, and run nothing'],
  small: ['', 'seconds for each question: does it run, not how fast'],
  json: ['', 'one JSON object on stdout instead of Markdown'],
  markdown: ['', 'write the tables and the chart into the document, between the markers of each question'],
  document: ['FILE', 'the document of --markdown (docs/benchmarks.md)'],
  against: ['CLI', 'another build\'s dist/cli.js: it is measured beside this one, as "that"'],
  rounds: ['N', 'times that everything runs, in turn'],
  seconds: ['S', 'length of each measured phase'],
  only: [
    'WORDS',
    'contestants, comma-separated: kamailio, durable, process, dgram, echo, off; parts of lookups: sip, http, embedded',
  ],
  aors: ['N', 'addresses of record, bindings or phones'],
  window: ['N', 'requests on their way at a time'],
  rate: ['N', 'requests a second where they are paced'],
  n: ['N', 'requests of an RFC 7502 attempt'],
  limit: ['S', 'seconds that a question may take; after them it has failed (with --small: 180)'],
  minutes: ['N', 'of the soak'],
  turnovers: ['N', 'of the churn'],
  connections: ['N', 'connections, or cycles of opening and cutting one'],
  transport: ['WORDS', 'comma-separated: tcp, tls, ws, wss'],
  key: ['WORD', "the certificate's key: ec (P-256) or rsa (2048)"],
  auth: ['WORDS', 'logins, comma-separated: none, reuse, fresh, challenge'],
  algorithm: ['WORDS', 'of the logins, comma-separated: md5, sha-256'],
  shards: ['N', 'of the store questions (one per core)'],
  durability: ['WORD', 'of the store questions: durable or process'],
  flags: ['"…"', 'further flags for aorta serve'],
  node: ['PATH', 'the Node.js that runs Aorta (this one)'],
  data: ['DIR', 'where data directories are made: decides which disk is measured (the directory for temporary files)'],
  quiet: ['PCT', 'wait until the machine uses less than PCT of a core; repeat runs that something disturbed'],
  port: ['N', 'UDP port of the servers; the ones above it are used, too (17160)'],
  'server-core': ['N', '(1)'],
  'client-core': ['N', '(0)'],
} as const;

type Flag = keyof typeof FLAGS;

/** Every flag on a line of its own. */
export function flagHelp(): string {
  return Object.entries(FLAGS)
    .map(([name, [argument, sentence]]) => `  ${`--${name} ${argument}`.padEnd(20)} ${sentence}`)
    .join('\n');
}

export class Settings {
  readonly questions: readonly string[];
  /** The build under measurement. */
  readonly cli: string;
  /** Ends the run under way. */
  readonly signal: AbortSignal;
  /** The newest progress: what a question that takes too long is at. */
  lastTold = '';
  private readonly args: readonly string[];
  private readonly values: Readonly<Partial<Record<Flag, string | boolean>>>;
  private readonly made: string[] = [];

  /** @throws where a flag is unknown */
  constructor(args: readonly string[], signal: AbortSignal, cli = join(root, 'dist/cli.js')) {
    const options = Object.fromEntries(
      Object.entries(FLAGS).map(([name, [argument]]) => [
        name,
        { type: argument === '' ? 'boolean' : 'string' } as const,
      ]),
    );
    const { values, positionals } = parseArgs({ args: [...args], allowPositionals: true, options });
    this.args = args;
    this.values = values;
    this.questions = positionals;
    this.signal = signal;
    this.cli = cli;
  }

  /** The same, of another build. */
  of(cli: string): Settings {
    return new Settings(this.args, this.signal, cli);
  }

  /** The flags that a process for one question has. */
  get forChild(): string[] {
    const own: readonly string[] = ['json', 'markdown', 'document', 'against', 'list', 'help'];
    return Object.entries(this.values)
      .filter(([name]) => !own.includes(name))
      .map(([name, value]) => (value === true ? `--${name}` : `--${name}=${value}`));
  }

  has(flag: Flag): boolean {
    return this.values[flag] === true;
  }

  get isSmall(): boolean {
    return this.has('small');
  }

  /** The flag as a number, or the question's own default. */
  number(flag: Flag, usual: number, small = usual): number {
    const text = this.values[flag];
    if (text === undefined) return this.isSmall ? small : usual;
    const value = Number(text);
    if (!Number.isFinite(value) || value < 0) throw new Error(`--${flag} needs a number, not "${text}"`);
    return value;
  }

  text(flag: Flag): string | undefined;
  text(flag: Flag, usual: string): string;
  text(flag: Flag, usual?: string): string | undefined {
    const value = this.values[flag];
    return typeof value === 'string' ? value : usual;
  }

  words(flag: Flag, usual: string, small = usual): string[] {
    return this.text(flag, this.isSmall ? small : usual)
      .split(',')
      .filter(Boolean);
  }

  /** Seconds that a question may take; Infinity: as many as it likes. A cluster may take half of the small one until it is up. */
  get limitS(): number {
    return this.number('limit', Number.POSITIVE_INFINITY, 180);
  }

  get against(): string | undefined {
    const path = this.text('against');
    return path === undefined ? undefined : resolve(path);
  }

  get node(): string {
    return this.text('node', process.execPath);
  }

  get port(): number {
    return this.number('port', 17_160);
  }

  get serverCore(): number {
    return this.number('server-core', 1);
  }

  get clientCore(): number {
    return this.number('client-core', 0);
  }

  get serveFlags(): string[] {
    return this.text('flags', '').split(' ').filter(Boolean);
  }

  /** The directory in which data directories are made. */
  get base(): string {
    const directory = resolve(this.text('data', tmpdir()));
    mkdirSync(directory, { recursive: true });
    return directory;
  }

  /** A new, empty directory on the disk that is measured; removed at the end of the run. */
  fresh(): string {
    const directory = mkdtempSync(join(this.base, 'aorta-bench-'));
    this.made.push(directory);
    return directory;
  }

  removeMade(): void {
    for (const directory of this.made.splice(0)) rmSync(directory, { recursive: true, force: true });
  }

  /** Progress, on stderr. */
  tell(text: string): void {
    this.lastTold = text;
    console.error(text);
  }
}
