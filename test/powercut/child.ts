// The process whose power is cut: runs a subject's real code, preloaded with recorder.c. One order a line on standard input,
// one answer a line on standard output; what is acknowledged is written to a file, whose writes the recorder sees.

import { openSync, writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { stepsOf } from './subject.ts';
import { SUBJECTS } from './subjects/subjects.ts';

export interface ChildOrder {
  readonly subject: string;
  readonly directory: string;
  readonly seed: number;
  /** Steps that were acknowledged before, and that may have been made. */
  readonly acknowledged: number;
  readonly most: number;
  /** Further steps to make. */
  readonly steps: number;
}

/** What is found when it is opened, the number of the first step made then, and what is found when it is opened again. */
export interface ChildAnswer {
  readonly opened?: Entries;
  readonly first?: number;
  readonly reopened?: Entries;
  readonly error?: string;
}

type Entries = readonly (readonly [string, string])[];

const acknowledgements = openSync(process.env.POWERCUT_ACKS ?? '/dev/null', 'a');

function acknowledge(what: string): void {
  writeSync(acknowledgements, what);
}

async function obey({ subject: name, directory, seed, acknowledged, most, steps }: ChildOrder): Promise<ChildAnswer> {
  const subject = SUBJECTS.find((one) => one.name === name);
  if (subject === undefined) throw new Error(`no subject ${name}`);
  let run = await subject.open(directory, seed);
  acknowledge('opened');
  const opened = await run.content();
  const first = stepsOf(subject, opened, { seed, acknowledged, most });
  for (let n = first; n < first + steps; n++) {
    await run.step(n);
    acknowledge(`step ${n}`);
  }
  await run.close();
  acknowledge('closed');
  if (steps === 0) return { opened: [...opened], first };
  run = await subject.open(directory, seed);
  const reopened = await run.content();
  await run.close();
  return { opened: [...opened], first, reopened: [...reopened] };
}

const lines = createInterface({ input: process.stdin, crlfDelay: Number.POSITIVE_INFINITY });
for await (const line of lines) {
  let answer: ChildAnswer;
  try {
    answer = await obey(JSON.parse(line) as ChildOrder);
  } catch (error) {
    answer = { error: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
