// Flows (RFC 5626 §6, registrar): whether the request came straight from the user agent, whether its reg-ids count, and
// what the answer says of it. What is done with the bindings is registrar.ts's.
// @hot

import { slab, table } from '../sip/slab.ts';
import {
  ABSENT,
  CONTACT_REG_ID,
  H_VIA,
  ROW_INTS,
  ROW_NEXT,
  ROW_VALUE_END,
  T_FIRST_ROW,
  T_ROWS,
  T_VIA_COUNT,
  T_VIAS,
  VIA_END,
} from '../sip/span-table.ts';
import { hasInstance } from './instance-id.ts';
import type { Outbox } from './outbox.ts';

const COMMA = 0x2c;

/** Whether the request in the table has one Via value: no proxy before us (§6). */
export function isFirstHop(): boolean {
  if (table[T_VIA_COUNT] !== 1) return false;
  const row = T_ROWS + table[T_FIRST_ROW + H_VIA] * ROW_INTS;
  if (table[row + ROW_NEXT] !== ABSENT) return false;
  // A second value that could not be read was not counted.
  for (let p = table[T_VIAS + VIA_END]; p < table[row + ROW_VALUE_END]; p++) if (slab[p] === COMMA) return false;
  return true;
}

/** reg-id of a Contact where it makes its binding a flow, else 0: without an instance ID it is ignored (§6). */
export function flowRegId(contact: number, out: Outbox): number {
  return out.flows && table[contact + CONTACT_REG_ID] > 0 && hasInstance(contact) ? table[contact + CONTACT_REG_ID] : 0;
}
