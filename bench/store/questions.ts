// What the location store promises, each promise a question: restart, memory and disk, bytes written, checkpoints, churn, expiry.

import { writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { Generator } from '../load/generator.ts';
import { Missing, type Question } from '../question.ts';
import { grouped } from '../results.ts';
import { atLeast, atMost, driftRow, median, type Row, seen, targetTable } from '../rows.ts';
import type { Settings } from '../settings.ts';
import type { ServerOptions } from './aorta-server.ts';
import { measureBatchBytes, measureChurn } from './churn.ts';
import { fill } from './fill.ts';
import { measureBytes, measureCheckpoints, measureExpiry, measureRfc7502, measureSize } from './load.ts';
import { checkpointed, measureCosts, measureRestarts, measureStarts, started } from './restart.ts';
import { type Cycle, measureSoak } from './soak.ts';

const FEW = 100_000;

/** The settings of one store question, and the data directory that several of them share. */
class Bench {
  readonly settings: Settings;
  readonly aors: number;
  readonly rounds: number;
  readonly generator: Generator;
  readonly tell: (text: string) => void;

  constructor(settings: Settings) {
    if (process.platform !== 'linux') throw new Missing('Linux is needed');
    this.settings = settings;
    this.aors = settings.number('aors', 1_000_000, 2000);
    this.rounds = settings.number('rounds', 3, 1);
    this.generator = new Generator(settings.port, settings.clientCore, settings.signal);
    this.tell = (text) => settings.tell(text);
  }

  get shards(): number {
    return this.settings.number('shards', availableParallelism(), 1);
  }

  get durability(): 'durable' | 'process' {
    return this.settings.text('durability', 'durable') === 'process' ? 'process' : 'durable';
  }

  server(data: string): ServerOptions {
    const { cli, node, port, serveFlags } = this.settings;
    const flags = ['--durability', this.durability, ...this.checkpointFlags, ...serveFlags];
    return { cli, node, data, port, shards: this.shards, flags };
  }

  /** Few bindings would have no checkpoint. */
  private get checkpointFlags(): string[] {
    if (!this.settings.isSmall) return [];
    const file = join(this.settings.base, 'small.yaml');
    writeFileSync(file, 'limits:\n  checkpoint-bytes: 65536\n');
    return ['--config', file];
  }

  fresh(): ServerOptions {
    return this.server(this.settings.fresh());
  }

  fill(data: string, count: number): void {
    const end = Date.now() + 7_200_000;
    const began = performance.now();
    fill({
      data,
      shards: this.shards,
      first: 1,
      aors: count,
      message: this.generator.message(),
      port: this.generator.localPort,
      expiresAt: (n) => end + (n % 3600) * 1000,
      progress: (done) => {
        if (done > 0 && done % 1_000_000 === 0) this.tell(`${done} of ${count} bindings written`);
      },
    });
    this.tell(`${count} bindings in ${((performance.now() - began) / 1000).toFixed(0)} s`);
  }

  /** A server on a data directory with the bindings and a checkpoint of them. */
  async filled(): Promise<ServerOptions> {
    const found = directories.get(this.settings);
    if (found !== undefined) return this.server(found);
    const data = this.settings.fresh();
    this.fill(data, this.aors);
    const first = await started(this.server(data));
    if (this.aors * 340 > this.shards * (40 << 20)) await checkpointed(this.server(data));
    await first.stop();
    directories.set(this.settings, data);
    return this.server(data);
  }
}

const directories = new WeakMap<Settings, string>();

type Ask = (bench: Bench) => Promise<readonly Row[]>;

function storeQuestion(name: string, asks: string, ask: Ask, against: Question['against'] = 'twice'): Question {
  return { name, asks, against, run: async (settings) => [targetTable(await ask(new Bench(settings)))] };
}

const restart: Ask = async (bench) => {
  const { aors, rounds, generator, tell, settings } = bench;
  const kinds = process.getuid?.() === 0 ? (['warmS', 'coldS', 'cleanS'] as const) : (['warmS', 'cleanS'] as const);
  const asked = settings.isSmall ? (['warmS', 'cleanS'] as const) : kinds;
  const found = await measureRestarts(await bench.filled(), generator, aors, rounds, asked, tell);
  const at = `at ${grouped(aors)} bindings`;
  const cold: Row =
    found.coldS.length > 0
      ? atMost(`restart after kill -9 ${at}, cold page cache`, found.coldS, 4, 2, 's')
      : {
          target: `restart after kill -9 ${at}, cold page cache`,
          measured: 'not measured: root is needed',
          wanted: '',
          values: [],
        };
  return [
    atMost(`restart after kill -9 ${at}, first right answer, warm page cache`, found.warmS, 1, 2, 's'),
    cold,
    atMost(`restart after SIGTERM ${at}`, found.cleanS, Number(Math.max(...found.warmS).toFixed(2)), 2, 's'),
  ];
};

const costs: Ask = async (bench) => {
  const { aors, settings } = bench;
  const found = await measureCosts(await bench.filled(), settings.fresh(), aors);
  const at = `per binding at ${grouped(aors)}`;
  return [
    atMost(`memory beyond page cache ${at}`, [found.memoryPerBinding], 100, 0, 'B'),
    atMost(`disk ${at}`, [found.diskPerBinding], 600, 0, 'B'),
    seen('of that, checkpoint', [found.checkpointPerBinding], 0, 'B'),
  ];
};

const size: Ask = async (bench) => {
  const { aors, settings, generator, rounds, tell } = bench;
  const few = settings.isSmall ? aors / 2 : FEW;
  const data = settings.fresh();
  bench.fill(data, few);
  const counts = [few, aors] as const;
  const seconds = settings.number('seconds', 10, 1);
  const shares = await measureSize(bench.server(data), await bench.filled(), generator, counts, rounds, seconds, tell);
  return [atLeast(`refreshes a second at ${grouped(aors)} bindings, of those at ${grouped(few)}`, shares, 0.7, 2, 'x')];
};

const bytes: Ask = async (bench) => {
  const { aors, settings, rounds, generator } = bench;
  const options = await bench.filled();
  const seconds = settings.number('seconds', 5, 1);
  const window = settings.number('window', 64);
  const values: number[] = [];
  for (let round = 0; round < rounds; round++)
    values.push(await measureBytes(options, generator, aors, window, seconds));
  const batches = await measureBatchBytes(settings.base, settings.isSmall ? 2000 : 100_000, 64, rounds);
  return [
    atMost('bytes to the device a refresh, 64 in a batch, by the store itself', batches, 700, 0, 'B'),
    atMost(`the same by a server, ${window} requests on their way`, values, 900, 0, 'B'),
  ];
};

const checkpoint: Ask = async (bench) => {
  const { aors, rounds, generator, tell, settings } = bench;
  const seconds = settings.number('seconds', 5, 1);
  const shares = await measureCheckpoints(await bench.filled(), generator, aors, rounds, seconds, tell);
  const lost = shares.map((share) => (1 - share) * 100);
  return [atMost(`refreshes a second lost while checkpoints are written, ${grouped(aors)} bindings`, lost, 15, 1, '%')];
};

const churn: Ask = async (bench) => {
  const { aors, settings, durability, tell } = bench;
  const turnovers = settings.number('turnovers', 20, 4);
  const list = measureChurn({ directory: settings.base, bindings: aors, turnovers, durability, tell });
  const quarter = Math.max(1, Math.floor(list.length / 4));
  const drift = (of: (one: (typeof list)[number]) => number) =>
    (median(list.slice(-quarter).map(of)) / median(list.slice(quarter, 2 * quarter).map(of)) - 1) * 100;
  const cpu = list.map(({ cpuUs }) => cpuUs);
  return [
    seen(`churn at ${grouped(aors)} bindings: CPU an operation`, cpu, 2, 'us'),
    atMost('CPU an operation, last quarter against the second', [drift(({ cpuUs }) => cpuUs)], 20, 1, '%'),
    atMost('files, last quarter against the second', [drift(({ diskBytes }) => diskBytes)], 20, 1, '%'),
  ];
};

const soak: Ask = async (bench) => {
  const { aors, settings, generator, tell } = bench;
  const minutes = settings.number('minutes', 60, 0);
  const rate = settings.number('rate', 5000, 4000);
  const cycles = await measureSoak({ server: bench.fresh(), generator, bindings: aors, minutes, rate, tell });
  const half = cycles.slice(cycles.length >> 1);
  const drift = (what: string, of: (cycle: Cycle) => number) =>
    driftRow(`soak of ${grouped(aors)} bindings: ${what}`, half.map(of));
  return [
    drift('CPU an operation', ({ cpuUs }) => cpuUs),
    drift('refreshes a second', ({ perSecond }) => perSecond),
    drift('memory', ({ anonymousBytes }) => anonymousBytes),
    drift('files', ({ diskBytes }) => diskBytes),
  ];
};

const expiry: Ask = async (bench) => {
  const { aors, settings, generator, rounds, tell } = bench;
  const load = {
    rate: settings.number('rate', 5000, 500),
    others: settings.isSmall ? 1000 : 50_000,
    leadS: settings.isSmall ? 5 : 30,
  };
  const during: number[] = [];
  const after: number[] = [];
  const ms: number[][] = [[], [], []];
  for (let round = 0; round < rounds; round++) {
    const found = await measureExpiry(bench.fresh(), generator, aors, load, tell);
    during.push(found.during.lat_us.p99 / found.before.lat_us.p99);
    after.push(found.after.lat_us.p99 / found.before.lat_us.p99);
    for (const [i, name] of (['before', 'during', 'after'] as const).entries())
      ms[i].push(found[name].lat_us.p99 / 1000);
  }
  return [
    atMost(`${grouped(aors)} bindings end in one second: p99 of others meanwhile, of before`, during, 2, 2, 'x'),
    atMost('the same, in the seconds after', after, 2, 2, 'x'),
    ...['before', 'meanwhile', 'after'].map((when, i) => seen(`p99 ${when}`, ms[i], 2, 'ms')),
  ];
};

const rfc7502: Ask = async (bench) => {
  const n = bench.settings.number('n', 50_000, 50);
  const start = bench.settings.number('rate', 5000, 200);
  const most = bench.settings.isSmall ? 400 : Number.POSITIVE_INFINITY;
  const found = await measureRfc7502(() => bench.fresh(), bench.generator, n, start, most, bench.tell);
  const how = `N ${grouped(n)}, UDP, ${bench.durability}, ${bench.shards} shards, none put off`;
  return [
    atLeast(`RFC 7502 §6.7 registrations a second, ${how}`, [found.registration.rate], 60_000, 0, ''),
    seen('RFC 7502 §6.8 re-registrations a second', [found.reRegistration.rate], 0, ''),
  ];
};

const start: Ask = async (bench) => {
  const seconds = await measureStarts(() => bench.fresh(), bench.settings.number('rounds', 5, 1));
  return [atMost('ready after the start, empty directory', seconds, 0.3, 2, 's')];
};

const fillOnly: Ask = async (bench) => {
  const data = bench.settings.text('data');
  if (data === undefined) throw new Missing('--data is needed: the directory that is filled and stays');
  bench.fill(bench.settings.base, bench.aors);
  return [{ target: `${grouped(bench.aors)} bindings`, measured: 'written', wanted: '', values: [] }];
};

export const STORE_QUESTIONS: readonly Question[] = [
  storeQuestion('start', 'seconds until a server with an empty directory is ready', start),
  storeQuestion(
    'restart',
    'seconds to the first right answer after kill -9 (page cache warm, cold) and after SIGTERM',
    restart,
  ),
  storeQuestion('costs', 'memory beyond page cache and disk per binding', costs),
  storeQuestion('size', `refreshes a second at --aors bindings, of those at ${grouped(FEW)}`, size),
  storeQuestion('bytes', 'bytes that reach the device per refresh', bytes),
  storeQuestion('checkpoint', 'refreshes a second while one checkpoint follows the other', checkpoint),
  storeQuestion(
    'churn',
    '60% refreshes, 20% new, 20% removals in the store itself: drift of CPU and files',
    churn,
    'no',
  ),
  storeQuestion('soak', 'the same churn through a server, for --minutes', soak),
  storeQuestion('expiry', 'p99 of others while and after --aors bindings end in one second', expiry),
  storeQuestion('rfc7502', 'registration and re-registration rate (RFC 7502 §6.7, §6.8)', rfc7502),
];

/** Not measured with the others: it makes a data directory that stays. */
export const FILL_QUESTION: Question = storeQuestion(
  'fill',
  'nothing: fills --data with --aors bindings, and leaves it',
  fillOnly,
  'no',
);
