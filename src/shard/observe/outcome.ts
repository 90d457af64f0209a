// The outcome of an answer for counters and histograms: an OUTCOME_* of its status and reason. @hot

import { outcomeOfReason, REASON_NAMES } from '../../core/uas/reasons.ts';
import { table } from '../../sip/parser/slab.ts';
import { METHOD_REGISTER, T_METHOD } from '../../sip/parser/span-table.ts';
import { OUTCOME_ACCEPTED, OUTCOME_CHALLENGED, OUTCOME_FAILED, OUTCOME_OTHER, OUTCOME_REJECTED } from './measures.ts';

const OF_REASON = Uint8Array.from(REASON_NAMES, (name) => {
  const outcome = outcomeOfReason(name);
  if (outcome === 'rejected') return OUTCOME_REJECTED;
  return outcome === 'failed' ? OUTCOME_FAILED : OUTCOME_CHALLENGED;
});

/** For the answer to the request in the table. @param reason REASON_* where it is a refusal */
export function outcomeOf(status: number, reason: number): number {
  if (table[T_METHOD] !== METHOD_REGISTER) return OUTCOME_OTHER;
  return status < 300 ? OUTCOME_ACCEPTED : OF_REASON[reason];
}
