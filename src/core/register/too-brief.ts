// The refusal of an interval that is too brief (RFC 3261 §10.3 step 7).
// @hot

import { ascii } from '../../sip/writer.ts';
import type { Exchange } from '../uas/exchange.ts';
import { PHRASE } from '../uas/phrases.ts';
import { REASON_INTERVAL_TOO_BRIEF } from '../uas/reasons.ts';
import { endResponse, startResponse } from '../uas/response.ts';

/** Only intervals below an hour may be refused as too brief. */
export const BRIEF_BELOW_S = 3600;

const MIN_EXPIRES = ascii('Min-Expires: ');
const CRLF = ascii('\r\n');

/** @param minS the shortest accepted interval, in seconds */
export function refuseTooBrief(exchange: Exchange, minS: number): number {
  const { answer } = exchange.result;
  exchange.result.reason = REASON_INTERVAL_TOO_BRIEF;
  startResponse(exchange, 423, PHRASE[423]);
  answer.text(MIN_EXPIRES);
  answer.number(minS);
  answer.text(CRLF);
  endResponse(exchange);
  return 423;
}
