// The extensions that a 200 shows (RFC 3327 §5.3, RFC 5626 §6): SHOWS_*, for the module that writes it.
// @hot

import { OPTION_OUTBOUND, OPTION_PATH } from '../../sip/parser/span-table.ts';
import type { ExchangeWork } from '../uas/exchange.ts';
import type { Policy } from '../uas/policy.ts';
import { SHOWS_FLOW, SHOWS_OUTBOUND, SHOWS_PATH, SHOWS_SUPPORTED } from '../wasm/module-memory.ts';
import { showsFlow } from './outbound.ts';
import { showsPath, supports } from './path.ts';

/** SHOWS_* of the 200 to the request in the table. */
export function shownExtensions(work: ExchangeWork, policy: Policy): number {
  if (!supports(OPTION_PATH | OPTION_OUTBOUND)) return 0;
  const supported = policy.outbound === 'off' ? SHOWS_SUPPORTED : SHOWS_SUPPORTED | SHOWS_OUTBOUND;
  return supported | (showsPath(policy) ? SHOWS_PATH : 0) | (showsFlow(work) ? SHOWS_FLOW : 0);
}

/** Seconds that a flow to Aorta may be idle; 0: the client is not told. */
export function shownFlowTimer({ direct }: ExchangeWork, policy: Policy): number {
  return direct ? policy.flowTimerS : 0;
}
