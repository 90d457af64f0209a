// The rows of extensions in a 200, written in TypeScript: Supported, Path, Require and Flow-Timer.

import { flowRegId } from '../../src/core/register/outbound.ts';
import type { Exchange } from '../../src/core/uas/exchange.ts';
import type { Policy } from '../../src/core/uas/policy.ts';
import { slab, table } from '../../src/sip/parser/slab.ts';
import {
  ABSENT,
  CONTACT_INTS,
  H_PATH,
  OPTION_OUTBOUND,
  OPTION_PATH,
  ROW_INTS,
  ROW_NEXT,
  ROW_VALUE_AT,
  ROW_VALUE_END,
  T_CONTACT_COUNT,
  T_CONTACTS,
  T_FIRST_ROW,
  T_REQUIRE,
  T_ROWS,
  T_SUPPORTED,
} from '../../src/sip/parser/span-table.ts';
import { ascii } from '../../src/sip/writer.ts';

function supports(option: number): boolean {
  return ((table[T_SUPPORTED] | table[T_REQUIRE]) & option) !== 0;
}

export function writeExtensions(exchange: Exchange, policy: Policy): void {
  if (!supports(OPTION_PATH | OPTION_OUTBOUND)) return;
  const w = exchange.result.answer;
  w.text(ascii(policy.outbound === 'off' ? 'Supported: path\r\n' : 'Supported: path, outbound\r\n'));
  if (policy.path !== 'off' && supports(OPTION_PATH)) {
    for (let row = table[T_FIRST_ROW + H_PATH]; row !== ABSENT; row = table[T_ROWS + row * ROW_INTS + ROW_NEXT]) {
      w.text(ascii('Path: '));
      w.span(slab, table[T_ROWS + row * ROW_INTS + ROW_VALUE_AT], table[T_ROWS + row * ROW_INTS + ROW_VALUE_END]);
      w.text(ascii('\r\n'));
    }
  }
  if (!exchange.work.flows || !supports(OPTION_OUTBOUND) || !hasFlow(exchange)) return;
  w.text(ascii('Require: outbound\r\n'));
  if (policy.flowTimerS === 0 || !exchange.work.direct) return;
  w.text(ascii(`Flow-Timer: ${policy.flowTimerS}\r\n`));
}

function hasFlow(exchange: Exchange): boolean {
  for (let i = 0, contact = T_CONTACTS; i < table[T_CONTACT_COUNT]; i++, contact += CONTACT_INTS)
    if (flowRegId(contact, exchange.work) > 0) return true;
  return false;
}
