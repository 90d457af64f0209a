// `npm run bench`: the micro benchmarks, as plain tables or as JSON. Under a minute in all. What a whole server does
// under load, and how it compares, is load/.

import { availableParallelism, cpus, loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { benchCommits } from './commits.ts';
import { benchDecisions } from './decisions.ts';
import { benchHostile } from './hostile.ts';
import { benchParser } from './parser.ts';
import { benchRefusals } from './refusals.ts';
import { grouped, plainTable } from './results.ts';

const HELP = `npm run bench -- [--json] [--quick] [--directory DIR]

  --json           one JSON object on stdout instead of tables
  --quick          a tenth of the time: does it run, not how fast
  --directory DIR  where the store's files are made (default: the system's directory for temporary files);
                   durable commits are worth what that disk's fdatasync is worth
`;

const { values: flags } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    quick: { type: 'boolean', default: false },
    directory: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});
if (flags.help) {
  process.stdout.write(HELP);
  process.exit(0);
}

const scale = flags.quick ? 0.1 : 1;
const machine = {
  node: process.version,
  cpu: cpus()[0]?.model ?? 'unknown',
  cores: availableParallelism(),
  loadBefore: loadavg()[0],
};
const print = (text: string) => {
  if (!flags.json) console.log(text);
};

print(`Node ${machine.node}, ${machine.cores} cores (${machine.cpu}), load ${machine.loadBefore.toFixed(2)}\n`);

const parser = await benchParser(3000 * scale);
print(
  plainTable(
    ['parser', 'work', 'messages', 'mean bytes', 'best ns', 'median ns'],
    parser.map((row) => [
      row.messages,
      row.work,
      String(row.count),
      String(row.meanBytes),
      grouped(row.bestNs),
      grouped(row.medianNs),
    ]),
  ),
);

const hostile = benchHostile(40 * scale);
print('');
print(
  plainTable(
    ['hostile messages of 64 KB', 'us', 'ns/byte', 'exponent'],
    hostile.map((row) => [row.message, row.us.toFixed(1), row.nsPerByte.toFixed(2), row.exponent.toFixed(2)]),
  ),
);

const decisions = await benchDecisions(5000 * scale);
print('');
print(
  plainTable(
    ['decisions, store in memory', 'per s, best batch', 'per s, median batch', 'us each'],
    decisions.map((row) => [
      row.request,
      grouped(row.bestPerSecond),
      grouped(row.perSecond),
      (1e6 / row.perSecond).toFixed(2),
    ]),
  ),
);

const commits = benchCommits(2000 * scale, flags.directory);
print('');
print(
  plainTable(
    ['commits', 'batch', 'commits/s', 'records/s', 'CPU us/record'],
    commits.map((row) => [
      row.durability,
      String(row.batch),
      grouped(row.commitsPerSecond),
      grouped(row.recordsPerSecond),
      row.cpuUs.toFixed(1),
    ]),
  ),
);

const refusals = await benchRefusals(Math.ceil(60 * scale), flags.directory);
print('');
print(
  plainTable(
    ['refusals, CPU us', 'wrong password', 'unknown user', 'ratio'],
    refusals.map((row) => [row.algorithm, row.wrongUs.toFixed(2), row.unknownUs.toFixed(2), row.ratio.toFixed(3)]),
  ),
);

if (flags.json) console.log(JSON.stringify({ machine, parser, hostile, decisions, commits, refusals }));
