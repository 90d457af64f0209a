// `npm run powercuts`. Exit code 0 when no case failed.

import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { bundle } from '../support/bundle.ts';
import { PowerCuts } from './power-cuts.ts';
import { compileRecorder, recorderMissing } from './recorder.ts';
import { SUBJECTS } from './subjects/subjects.ts';

const HELP = `npm run powercuts -- [options]

Records what real stores write and sync, makes the disks that a power cut might have left (everything synced, any part of what
was not), lets the real code start on each, and compares what it finds with what had been acknowledged.

  --cases N       (10000)
  --from K        the first of them (0)
  --seed N        makes the same cases again (1)
  --case K        this one alone
  --only NAMES    subjects, by commas: ${SUBJECTS.map(({ name }) => name).join(', ')}
  --lie WHAT      files, directories: the disk does not make these syncs, and failures must be found
  --keep          leaves the disks where they are and tells where
  --json          the report as one JSON object

Examples
  npm run powercuts
  npm run powercuts -- --cases 2000 --only log,checkpoint --seed 7
  npm run powercuts -- --seed 7 --case 1234 --keep
`;

const { values: flags } = parseArgs({
  options: {
    cases: { type: 'string', default: '10000' },
    from: { type: 'string', default: '0' },
    seed: { type: 'string', default: '1' },
    case: { type: 'string' },
    only: { type: 'string' },
    lie: { type: 'string' },
    keep: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

async function main(): Promise<void> {
  if (flags.help) return void process.stdout.write(HELP);
  const missing = recorderMissing();
  if (missing !== undefined) throw new Error(missing);
  const began = performance.now();
  const only = flags.only?.split(',');
  const cuts = new PowerCuts({
    seed: Number(flags.seed),
    subjects: SUBJECTS.filter(({ name }) => only?.includes(name) ?? true),
    program: await bundle('test/powercut/child.ts'),
    recorder: compileRecorder(fileURLToPath(new URL('../..', import.meta.url))),
    ...((flags.lie === 'files' || flags.lie === 'directories') && { lie: flags.lie }),
    keep: flags.keep,
    progress: (line) => process.stderr.write(`\r${line}`),
  });
  const first = Number(flags.case ?? flags.from);
  const end = first + (flags.case === undefined ? Number(flags.cases) : 1);
  try {
    await cuts.run(first, end);
  } finally {
    cuts.close();
  }
  const { report } = cuts;
  const seconds = Math.round((performance.now() - began) / 1000);
  process.stderr.write('\n');
  process.exitCode = report.failures.length > 0 ? 1 : 0;
  if (flags.keep) console.log(`disks: ${cuts.work}`);
  if (flags.json) return console.log(JSON.stringify({ flags, report, seconds }));
  const again = flags.only === undefined ? '' : ` --only ${flags.only}`;
  for (const { number, subject, what } of report.failures)
    console.log(`${subject}: ${what}\n  again: npm run powercuts -- --seed ${flags.seed}${again} --case ${number}`);
  const { cases, secondCuts, recordings, failures } = report;
  console.log(
    `${cases} power cuts (${secondCuts} with a second one in the recovery), ${recordings} recordings, ${seconds} s`,
  );
  console.log(
    Object.entries(report.bySubject)
      .map(([name, n]) => `${name} ${n}`)
      .join(', '),
  );
  console.log(`${failures.length} failures`);
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
