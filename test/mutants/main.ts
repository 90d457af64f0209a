// npm run mutants: puts each fault into a copy of the sources and runs what has to find it: tests, or with --seeds N the simulated worlds.

import { parseArgs } from 'node:util';
import { seedTrials } from './seed-hunt.ts';
import { SourceCopy } from './source-copy.ts';
import { listedTrials, madeTrials } from './test-hunt.ts';

const HELP = `usage: npm run mutants -- [OPTIONS] [WORD]

Puts one fault after the other into a copy of the sources; a test has to find it. WORD: only those whose file or name has it.

  --made        faults made by rule, instead of those listed in test/mutants/mutants.ts
  --each N      of each file, with --made (default 1)
  --seed N      which of them, with --made (default 1)
  --seeds N     faults of the simulated worlds, which have to fail within N seeds
  --help        this

Examples:
  npm run mutants
  npm run mutants -- log-cleaner
  npm run mutants -- --made --each 2 --seed 7 src/core/register
  npm run mutants -- --seeds 2000
`;

const text = { type: 'string' } as const;
const flag = { type: 'boolean' } as const;
const OPTIONS = { made: flag, each: text, seed: text, seeds: text, help: flag } as const;

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({ options: OPTIONS, allowPositionals: true });
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const [only = ''] = positionals;
  const isWanted = (name: string): boolean => name.includes(only);
  const copy = new SourceCopy();
  try {
    const { made, seeds, each = 1, seed = 1 } = values;
    const trials = made
      ? await madeTrials(copy.path, isWanted, Number(each), Number(seed))
      : seeds === undefined
        ? await listedTrials(copy.path, isWanted)
        : seedTrials(copy.path, isWanted, Number(seeds));
    const left = await copy.tryEach(trials);
    process.stdout.write(`${trials.length - left.length} of ${trials.length} mutants found\n`);
    return left.length === 0 ? 0 : 1;
  } finally {
    copy.remove();
  }
}

process.exitCode = await main();
