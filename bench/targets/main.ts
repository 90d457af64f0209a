// `npm run bench:targets`: the store's targets, each measured by a mode of its own; prints a table, progress on stderr.

import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { findGenerator } from '../load/generator.ts';
import type { ServerOptions } from './aorta-server.ts';
import { measureBatchBytes, measureChurn } from './churn.ts';
import { fill } from './fill.ts';
import { Generator } from './generator.ts';
import { measureBytes, measureCheckpoints, measureExpiry, measureRfc7502, measureSize } from './load.ts';
import { checkpointed, measureCosts, measureRestarts, started } from './restart.ts';
import { type Cycle, measureSoak } from './soak.ts';
import { atMost, driftRow, median, type Row, spread, targetTable } from './targets.ts';

const HELP = `npm run bench:targets -- MODE… [options]

Measures what the location store promises. Linux; root for cold restarts. What a REGISTER costs, beside Kamailio, is
npm run bench:load.

Modes
  restart      seconds from the start of the process to the first right answer, after kill -9 (page cache warm and cold) and
               after SIGTERM, with --aors bindings
  costs        memory beyond page cache and disk per binding, with --aors bindings
  size         the rate of refreshes at --aors bindings, as a share of that at 100,000
  bytes        bytes that reach the disk per refresh: 64 of them in each batch, and 64 requests on their way at a time
  checkpoint   the rate of refreshes while one checkpoint follows the other, against without
  churn        60% refreshes, 20% new, 20% removals in the store itself: CPU per operation and files, by turnover
  soak         the same churn through a server, for --minutes, at --rate: CPU per operation, rate, memory, files
  expiry       --aors bindings end within one second: p99 of the others' refreshes before, meanwhile and after
  rfc7502      registration and re-registration rate (RFC 7502 §6.7, §6.8): the largest rate at which --n requests for
               distinct AORs, with an expiry of 3600 s, all succeed
  fill         nothing but a data directory (--data) with --aors bindings

Options
  --aors N          bindings (1000000)
  --shards N        (one per core)
  --rounds N        (3)
  --turnovers N     of churn (20)
  --minutes N       of soak (60)
  --n N             requests of an RFC 7502 attempt (50000)
  --rate N          of the others' refreshes in expiry, of operations in soak, per second; where rfc7502 begins (5000)
  --durability W    durable, process (durable)
  --data DIR        where data directories are made: decides which disk is measured; with fill, the directory itself
  --regload PATH    the load generator regload, or the directory of its source (bench/load/regload)
  --port N          of the server; the generator takes the one above (17160)
  --core N          the generator's core (0)
  --json            one JSON object instead of a table

Examples
  npm run bench:targets -- restart costs --aors 10000000         five minutes, 8 GB of disk, 4 GB of memory
  npm run bench:targets -- churn --turnovers 5
  npm run bench:targets -- rfc7502 --n 100000 --shards 1
  npm run bench:targets -- fill --aors 100000 --data /tmp/filled && aorta serve --data /tmp/filled --domain '*'
`;

const root = rootOf(dirname(fileURLToPath(import.meta.url)));

function rootOf(directory: string): string {
  return existsSync(join(directory, 'package.json')) ? directory : rootOf(dirname(directory));
}

const { values: flags, positionals: modes } = parseArgs({
  allowPositionals: true,
  options: {
    aors: { type: 'string', default: '1000000' },
    shards: { type: 'string', default: String(availableParallelism()) },
    rounds: { type: 'string', default: '3' },
    turnovers: { type: 'string', default: '20' },
    minutes: { type: 'string', default: '60' },
    n: { type: 'string', default: '50000' },
    rate: { type: 'string', default: '5000' },
    durability: { type: 'string', default: 'durable' },
    data: { type: 'string' },
    regload: { type: 'string', default: join(root, 'bench/load/regload') },
    port: { type: 'string', default: '17160' },
    core: { type: 'string', default: '0' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

const SMALL = 100_000;
const aors = Number(flags.aors);
const shards = Number(flags.shards);
const rounds = Number(flags.rounds);
const durability = flags.durability === 'process' ? 'process' : 'durable';
const tell = (text: string) => console.error(text);
const base = () => {
  const directory = flags.data === undefined ? tmpdir() : resolve(flags.data);
  mkdirSync(directory, { recursive: true });
  return directory;
};
const made: string[] = [];

/** A new, empty directory on the disk that is measured; removed at the end. */
function fresh(): string {
  const directory = mkdtempSync(join(base(), 'aorta-targets-'));
  made.push(directory);
  return directory;
}

function generator(): Generator {
  return new Generator(
    findGenerator(resolve(flags.regload), join(root, '.build/regload')),
    Number(flags.port),
    Number(flags.core),
  );
}

function server(data: string): ServerOptions {
  const cli = join(root, 'dist/cli.js');
  return { cli, data, port: Number(flags.port), shards, flags: ['--durability', durability] };
}

function fillData(data: string, count = aors): void {
  const { message, localPort } = (() => {
    const g = generator();
    return { message: g.message(), localPort: g.localPort };
  })();
  const end = Date.now() + 7_200_000;
  const began = performance.now();
  const progress = (done: number) => {
    if (done % 1_000_000 === 0) tell(`${done} of ${count} bindings written`);
  };
  fill({
    data,
    shards,
    first: 1,
    aors: count,
    message,
    port: localPort,
    expiresAt: (n) => end + (n % 3600) * 1000,
    progress,
  });
  tell(`${count} bindings in ${((performance.now() - began) / 1000).toFixed(0)} s`);
}

let filled: string | undefined;

/** A data directory with `aors` bindings and a checkpoint of them; the modes share it. */
async function filledData(): Promise<string> {
  if (filled !== undefined) return filled;
  const data = fresh();
  fillData(data);
  const first = await started(server(data));
  if (aors * 340 > shards * (40 << 20)) await checkpointed(server(data));
  await first.stop();
  filled = data;
  return data;
}

const MODES: Readonly<Record<string, () => Promise<readonly Row[]>>> = {
  async fill() {
    if (flags.data === undefined) throw new Error('fill needs --data, the directory to fill');
    fillData(resolve(flags.data));
    return [];
  },
  async restart() {
    const { warmS, coldS, cleanS } = await measureRestarts(server(await filledData()), generator(), aors, rounds, tell);
    return [
      atMost(`restart after kill -9 at ${aors}, warm`, warmS, 2, 2, 's'),
      atMost(`restart after kill -9 at ${aors}, cold`, coldS, 4, 2, 's'),
      atMost(`restart after SIGTERM at ${aors}, warm`, cleanS, Number(Math.max(...warmS).toFixed(2)), 2, 's'),
    ];
  },
  async costs() {
    const costs = await measureCosts(server(await filledData()), fresh(), aors);
    return [
      atMost(`memory per binding at ${aors}`, [costs.memoryPerBinding], 100, 0, 'B'),
      atMost(`disk per binding at ${aors}`, [costs.diskPerBinding], 600, 0, 'B'),
      {
        target: 'of that, checkpoint',
        measured: spread([costs.checkpointPerBinding], 0, 'B'),
        wanted: '',
        values: [costs.checkpointPerBinding],
      },
    ];
  },
  async size() {
    const few = fresh();
    fillData(few, SMALL);
    const shares = await measureSize(server(few), server(await filledData()), generator(), [SMALL, aors], rounds, tell);
    const measured = spread(shares, 2, 'x');
    const met = median(shares) >= 0.7;
    return [
      {
        target: `refreshes per second at ${aors}, of those at ${SMALL}`,
        measured,
        wanted: '>= 0.7 x',
        met,
        values: shares,
      },
    ];
  },
  async bytes() {
    const options = server(await filledData());
    const values: number[] = [];
    for (let round = 0; round < rounds; round++) values.push(await measureBytes(options, generator(), aors, 64));
    const batches = measureBatchBytes(base(), 100_000, 64, rounds);
    return [
      atMost('bytes written per refresh, 64 in a batch, by the store itself', batches, 700, 0, 'B'),
      atMost('the same by a server with 64 requests on their way, whose batches are smaller', values, 700, 0, 'B'),
    ];
  },
  async checkpoint() {
    const shares = await measureCheckpoints(server(await filledData()), generator(), aors, rounds, tell);
    const lost = shares.map((share) => (1 - share) * 100);
    return [atMost(`refresh rate lost while checkpoints are written, ${aors} bindings`, lost, 15, 1, '%')];
  },
  async churn() {
    const turnovers = Number(flags.turnovers);
    const list = measureChurn({ directory: base(), bindings: aors, turnovers, durability, tell });
    const quarter = Math.max(1, Math.floor(list.length / 4));
    const drift = (of: (one: (typeof list)[number]) => number) =>
      (median(list.slice(-quarter).map(of)) / median(list.slice(quarter, 2 * quarter).map(of)) - 1) * 100;
    return [
      {
        target: `churn at ${aors}: CPU per operation`,
        measured: spread(
          list.map(({ cpuUs }) => cpuUs),
          2,
          'us',
        ),
        wanted: '',
        values: list.map(({ cpuUs }) => cpuUs),
      },
      atMost('CPU per operation, last quarter against the second', [drift(({ cpuUs }) => cpuUs)], 20, 1, '%'),
      atMost('files, last quarter against the second', [drift(({ diskBytes }) => diskBytes)], 20, 1, '%'),
    ];
  },
  async soak() {
    const parts = { bindings: aors, minutes: Number(flags.minutes), rate: Number(flags.rate), tell };
    const cycles = await measureSoak({ server: server(fresh()), generator: generator(), ...parts });
    const half = cycles.slice(cycles.length >> 1);
    const drift = (what: string, of: (cycle: Cycle) => number) => driftRow(`soak of ${aors}: ${what}`, half.map(of));
    return [
      drift('CPU per operation', ({ cpuUs }) => cpuUs),
      drift('refreshes per second', ({ perSecond }) => perSecond),
      drift('memory', ({ anonymousBytes }) => anonymousBytes),
      drift('files', ({ diskBytes }) => diskBytes),
    ];
  },
  async expiry() {
    const { before, during, after } = await measureExpiry(server(fresh()), generator(), aors, Number(flags.rate), tell);
    const ms = (us: number) => `${(us / 1000).toFixed(2)} ms`;
    const row = atMost(
      `${aors} end in one second: p99 of others, times`,
      [during.lat_us.p99 / before.lat_us.p99],
      2,
      2,
      'x',
    );
    return [
      row,
      {
        target: 'p99 before, meanwhile, after',
        measured: [before, during, after].map(({ lat_us }) => ms(lat_us.p99)).join(', '),
        wanted: '',
        values: [before, during, after].map(({ lat_us }) => lat_us.p99),
      },
    ];
  },
  async rfc7502() {
    const fresher = () => server(fresh());
    const { registration, reRegistration } = await measureRfc7502(
      fresher,
      generator(),
      Number(flags.n),
      Number(flags.rate),
      tell,
    );
    const row = (target: string, { n, rate }: { n: number; rate: number }): Row => ({
      target: `RFC 7502 ${target}, N ${n}, UDP, ${durability}, ${shards} shards`,
      measured: `${Math.round(rate)} per s, no failure`,
      wanted: '',
      values: [rate],
    });
    return [row('6.7 registration rate', registration), row('6.8 re-registration rate', reRegistration)];
  },
};

async function main(): Promise<void> {
  if (flags.help || modes.length === 0) return void process.stdout.write(HELP);
  if (process.platform !== 'linux') throw new Error('this needs Linux');
  const unknown = modes.find((mode) => MODES[mode] === undefined);
  if (unknown !== undefined) throw new Error(`"${unknown}" is none of ${Object.keys(MODES).join(', ')}`);
  const rows: Row[] = [];
  for (const mode of modes) rows.push(...(await MODES[mode]()));
  if (flags.json) console.log(JSON.stringify({ flags, node: process.version, rows }));
  else if (rows.length > 0) console.log(targetTable(rows));
}

main()
  .catch((error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  })
  .finally(() => {
    for (const directory of made) rmSync(directory, { recursive: true, force: true });
  });
