// `npm run simulate`. Exit code 0 when every seed went well.

import { parseArgs } from 'node:util';
import { ClusterWorld } from './cluster/cluster-world.ts';
import { ShardWorld } from './shards/shard-world.ts';
import { StoreWorld } from './store-world.ts';
import { RegistrationsWorld } from './world/registrations-world.ts';
import { shrink } from './world/shrink.ts';

const WORLDS = { store: StoreWorld, shards: ShardWorld, registrations: RegistrationsWorld, cluster: ClusterWorld };

const HELP = `npm run simulate -- [options]

store: runs the real location store in a world that a seed draws: appends, syncs and reads that fail, bits that flip, crashes anywhere,
restarts, checkpoints; and compares all it says with a model.
shards: runs whole shards over such stores: phones that register, refresh, remove and repeat over UDP and connections, processes that end
anywhere; and holds each answer against a model.
registrations: the same with one to three shards that hand messages on, logins, RFC 5626 flows, reloads and limits, against a model of
RFC 3261 10.3.
cluster: runs three nodes with real shards and stores over a model of their streams: nodes that die, pause, are cut off and have wrong
clocks, streams that lose their leader; and compares them with what phones were told and what the streams say.

  --only PART    store, shards, registrations or cluster (store)
  --seeds N      (1000)
  --from S       the first of them (1)
  --minutes M    ends after that time, however many seeds it were
  --seed S[,S…]  these alone
  --first        ends with the first failure
  --trace        tells its story, line by line
  --without LIST of registrations: leaves these out (storms, domains, sleepers, watchers, …), as seeds of before they were drawn need
  --shrink       of registrations: tells the story of the shortest run that still fails
  --json         the report as one JSON object

Examples
  npm run simulate -- --only store --seeds 100000
  npm run simulate -- --only cluster --minutes 10
  npm run simulate -- --seed 4711 --trace
`;

const { values: flags } = parseArgs({
  options: {
    only: { type: 'string', default: 'store' },
    seeds: { type: 'string', default: '1000' },
    from: { type: 'string', default: '1' },
    minutes: { type: 'string' },
    seed: { type: 'string' },
    first: { type: 'boolean', default: false },
    trace: { type: 'boolean', default: false },
    without: { type: 'string', default: '' },
    shrink: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

interface Result {
  seeds: number;
  readonly failures: { readonly seed: number; readonly what: string }[];
  readonly sum: Record<string, number>;
}

async function simulate(seed: number, result: Result): Promise<void> {
  const tell = flags.trace ? (line: string) => console.log(line) : undefined;
  const world = new WORLDS[flags.only as keyof typeof WORLDS](seed, tell, {
    faults: flags.without.split(','),
  });
  try {
    await world.run();
  } catch (error) {
    const what =
      error instanceof Error
        ? flags.seed === undefined
          ? error.message
          : (error.stack ?? error.message)
        : String(error);
    result.failures.push({ seed, what });
    if (!flags.json)
      console.log(`seed ${seed}: ${what}\n  again: npm run simulate -- --only ${flags.only} --seed ${seed} --trace`);
  }
  if (flags.shrink && flags.only === 'registrations' && result.failures.at(-1)?.seed === seed) await tellShortest(seed);
  result.seeds++;
  const { sum } = result;
  for (const [name, value] of Object.entries(world.report)) sum[name] = (sum[name] ?? 0) + value;
}

/** The story of the shortest run that still fails. */
async function tellShortest(seed: number): Promise<void> {
  const without = await shrink(seed);
  console.log(`still fails without ${JSON.stringify(without)}:`);
  await new RegistrationsWorld(seed, console.log, without).run().catch((error: Error) => console.log(error.message));
}

async function main(): Promise<void> {
  if (flags.help) return void process.stdout.write(HELP);
  if (!Object.hasOwn(WORLDS, flags.only))
    throw new Error(`there is no part ${flags.only}: ${Object.keys(WORLDS).join(', ')}`);
  const began = performance.now();
  const end = flags.minutes === undefined ? Number.POSITIVE_INFINITY : began + Number(flags.minutes) * 60_000;
  const given = flags.seed?.split(',').map(Number);
  if (given === undefined) Error.stackTraceLimit = 0; // disks fail thousands of times a second, and a seed alone tells its stack
  const from = Number(flags.from);
  const seeds = given?.length ?? (flags.minutes === undefined ? Number(flags.seeds) : Number.MAX_SAFE_INTEGER);
  const result: Result = { seeds: 0, failures: [], sum: {} };
  for (let n = 0; n < seeds && performance.now() < end && !(flags.first && result.failures.length > 0); n++)
    await simulate(given?.[n] ?? from + n, result);
  process.exitCode = result.failures.length > 0 ? 1 : 0;
  const seconds = (performance.now() - began) / 1000;
  const cpuSeconds = (process.cpuUsage().user + process.cpuUsage().system) / 1e6;
  if (flags.json) return console.log(JSON.stringify({ ...result, seconds, cpuSeconds }));
  const what = Object.entries(result.sum).map(([name, n]) => `${n} ${name}`);
  console.log(
    `${result.seeds} seeds, ${result.failures.length} failures, ${seconds.toFixed(1)} s (${cpuSeconds.toFixed(1)} s of CPU)`,
  );
  console.log(what.join(', '));
}

await main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
