// `npm run faults`: a cluster of three nodes and three NATS servers, everything that may fail in it done under load, one after the other or
// at random. Exit code 0 when every 200 held.

import { parseArgs } from 'node:util';
import { seeded } from '../../src/commands/bench/sample-messages.ts';
import { removeDirectories } from '../support/aorta-process.ts';
import { killAll, pause } from '../support/child-process.ts';
import { type NatsSuite, natsServer } from '../support/nats-servers.ts';
import { FaultRun } from './fault-run.ts';
import { FAULTS } from './faults.ts';

/** 2^32 over the golden ratio: seeds beside each other draw nothing alike. */
const SPREAD = 0x9e3779b1;
/** Of each node's log, where a run fails. */
const LOG_CHARACTERS = 3000;

const HELP = `npm run faults -- [options] [F1 F2 …]

Without names, all of them.

  --random N      N runs of faults at random moments, each of --seconds
  --seconds S     of a random run (120)
  --seed N        makes the same choices again (1)
  --shards N      (3)
  --debian SUITE  whose nats-server: trixie, sid
  --json          a JSON object a fault

Examples
  npm run faults
  npm run faults -- F1 F6
  npm run faults -- --random 60
`;

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    random: { type: 'string', default: '0' },
    seconds: { type: 'string', default: '120' },
    seed: { type: 'string', default: '1' },
    shards: { type: 'string', default: '3' },
    debian: { type: 'string', default: 'trixie' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

async function main(): Promise<void> {
  if (flags.help) return void process.stdout.write(HELP);
  const suite = flags.debian as NatsSuite;
  const found = natsServer(suite);
  if ('missing' in found) throw new Error(found.missing);
  const runs = Number(flags.random);
  const options = { shards: Number(flags.shards), suite };
  if (runs === 0) return inOrder(options);
  let faults = 0;
  for (let n = 0; n < runs; n++) faults += await atRandom(options, Number(flags.seed) + n);
  if (!flags.json) console.log(`${runs} runs, ${faults} faults: no 200 was lost, no change told twice or not at all`);
}

async function inOrder(options: Parameters<typeof FaultRun.start>[0]): Promise<void> {
  const chosen = FAULTS.filter(({ name }) => positionals.length === 0 || positionals.includes(name));
  const run = await FaultRun.start(options);
  try {
    for (const fault of chosen) {
      const missing = fault.missing?.();
      if (missing === undefined) tell(fault.what, await run.under(fault));
      else console.error(`${fault.name} ${fault.what}: not done, ${missing}`);
    }
  } catch (error) {
    tellLogs(run);
    throw error;
  } finally {
    await run.close();
  }
}

/** A new cluster, and whatever may fail, until the time is over. Returns how much did. */
async function atRandom(options: Parameters<typeof FaultRun.start>[0], seed: number): Promise<number> {
  const random = seeded(Math.imul(seed, SPREAD));
  const possible = FAULTS.filter(({ missing }) => missing?.() === undefined);
  const run = await FaultRun.start(options);
  try {
    const end = Date.now() + Number(flags.seconds) * 1000;
    let faults = 0;
    while (Date.now() < end) {
      const fault = possible[Math.floor(random() * possible.length)];
      await pause(random() * 1000);
      tell(`${fault.what} (seed ${seed})`, await run.under({ ...fault, pauseMsMax: 60_000 }));
      faults++;
    }
    return faults;
  } catch (error) {
    tellLogs(run);
    throw error;
  } finally {
    await run.close();
  }
}

/** What the nodes have said last. */
function tellLogs({ cluster }: FaultRun): void {
  for (const [n, { child }] of cluster.nodes.entries())
    console.error(`${cluster.files[n].name}: ${child.stderr.slice(-LOG_CHARACTERS)}`);
}

function tell(what: string, report: Awaited<ReturnType<FaultRun['under']>>): void {
  if (flags.json) return console.log(JSON.stringify(report));
  const { fault, acknowledged, slowestMs, refused } = report;
  const others = Object.entries(refused).map(([line, count]) => `, ${count} ${line}`);
  console.log(
    `${fault} ${what}: ${acknowledged} answered 200, all of them kept; longest wait for one ${(slowestMs / 1000).toFixed(1)} s${others.join('')}`,
  );
}

main()
  .catch((error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  })
  .finally(async () => {
    await killAll();
    removeDirectories();
  });
