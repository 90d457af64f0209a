// How long a phone waits while something fails: the faults of `npm run faults` that have a limit.

import { FaultRun } from '../../test/faults/fault-run.ts';
import { FAULTS } from '../../test/faults/faults.ts';
import { killAll } from '../../test/support/child-process.ts';
import type { Question } from '../question.ts';
import { atMost, type Row, targetTable } from '../rows.ts';
import { demandNats } from './nats.ts';

const LIMITS_S = { F1: 2, F2: 10, F3: 2 } as const;

export const CLUSTER_FAULTS_QUESTION: Question = {
  name: 'cluster-faults',
  asks: 'how long a phone waits for its 200 while a node or a NATS server dies',
  against: 'no',
  async run(settings) {
    demandNats();
    const rounds = settings.number('rounds', 3, 1);
    const names = settings.isSmall ? (['F1'] as const) : (['F1', 'F2', 'F3'] as const);
    const waits = new Map<string, number[]>(names.map((name) => [name, []]));
    const run = await FaultRun.start();
    try {
      for (let round = 0; round < rounds; round++)
        for (const fault of FAULTS.filter(({ name }) => waits.has(name))) {
          const { slowestMs } = await run.under(fault);
          settings.tell(`${fault.name}: ${slowestMs} ms`);
          waits.get(fault.name)?.push(slowestMs / 1000);
        }
    } finally {
      await run.close();
      await killAll();
    }
    const rows = names.map((name): Row => {
      const { what = '' } = FAULTS.find((fault) => fault.name === name) ?? {};
      return atMost(`${name}, ${what}`, waits.get(name) ?? [], LIMITS_S[name], 1, 's');
    });
    const note = 'The longest wait of a phone, repetitions and all; after each fault every 200 holds on every node.';
    return [targetTable(rows, note)];
  },
};
