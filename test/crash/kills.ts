// `npm run kills`: the crash test in its long form. Exit code 0 when every acknowledged binding was found after every kill.

import { parseArgs } from 'node:util';
import { removeDirectories } from '../support/aorta-process.ts';
import { killRun } from './kill-run.ts';

const HELP = `npm run kills -- [options]

Kills a server with SIGKILL at random moments, under load and while it starts, starts it again, and compares every binding
with what had been acknowledged.

  --kills N      (200)
  --seed N       makes the same choices again (1)
  --aors N       addresses of record (600)
  --shards LIST  numbers of shards to start with, at random; several of them move the data each time (1,2,3)
  --udp MODE     auto, dgram (auto)
  --life MS      the longest time under load before a kill (600)
  --flags "…"    further flags for aorta serve
  --json         the report as one JSON object

Examples
  npm run kills
  npm run kills -- --kills 1000 --seed 7 --shards 2
`;

const { values: flags } = parseArgs({
  options: {
    kills: { type: 'string', default: '200' },
    seed: { type: 'string', default: '1' },
    aors: { type: 'string', default: '600' },
    shards: { type: 'string', default: '1,2,3' },
    udp: { type: 'string', default: 'auto' },
    life: { type: 'string', default: '600' },
    flags: { type: 'string', default: '' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

async function main(): Promise<void> {
  if (flags.help) return void process.stdout.write(HELP);
  const began = performance.now();
  const report = await killRun({
    seed: Number(flags.seed),
    kills: Number(flags.kills),
    aors: Number(flags.aors),
    shards: flags.shards.split(',').map(Number),
    udp: flags.udp === 'dgram' ? 'dgram' : 'auto',
    lifeMs: Number(flags.life),
    flags: flags.flags.split(' ').filter((flag) => flag !== ''),
    progress: (line) => console.error(line),
  });
  if (flags.json) return console.log(JSON.stringify({ flags, report }));
  const seconds = Math.round((performance.now() - began) / 1000);
  console.log(
    `${report.kills} kills, ${report.duringStart} of them during the start, ${report.resharded} moves to another`,
  );
  console.log(
    `number of shards: ${report.acknowledged} acknowledged requests, ${report.checked} bindings checked, all right`,
  );
  for (const [what, times] of Object.entries(report.interrupted)) console.log(`${times} in the middle of: ${what}`);
  console.log(`${seconds} s`);
}

main()
  .catch((error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  })
  .finally(removeDirectories);
