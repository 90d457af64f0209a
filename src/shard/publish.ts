// The end of a batch: its answers are final, are counted, and from here on are what retransmissions get. @hot

import type { Transactions } from '../registrar/transactions.ts';
import type { Answers } from './answers.ts';
import type { BatchTally } from './batch-tally.ts';
import type { Unacknowledged } from './unacknowledged.ts';

export function publish(
  answers: Answers,
  transactions: Transactions,
  tally: BatchTally,
  unacknowledged: Unacknowledged,
  now: number,
): void {
  const { at, end, place, port, status, ticket } = answers;
  for (let row = 0; row < answers.count; row++) {
    if (status[row] === 0) continue; // a replayed one, or no SIP
    tally.answered(status[row], answers.outcome[row], answers.reason[row]);
    if (ticket[row] < 0) continue;
    transactions.publish(ticket[row], place[row], end[row] - at[row], port[row], status[row]);
    if (answers.awaitsAck[row] !== 0) unacknowledged.watch(row, ticket[row], now);
  }
}
