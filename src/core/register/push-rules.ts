// Push parameters of contacts (RFC 8599 §8.7): which of them need a value. What they say is the proxy's.
// @hot

import { slab, table } from '../../sip/parser/slab.ts';
import {
  CONTACT_INTS,
  T_CONTACT_COUNT,
  T_CONTACTS,
  URI_PARAMS_AT,
  URI_PARAMS_END,
} from '../../sip/parser/span-table.ts';
import { EQUALS, isText, SEMICOLON } from '../../sip/scanner.ts';
import { ascii } from '../../sip/writer.ts';
import type { Exchange } from '../uas/exchange.ts';
import { PUSH_WITHOUT_VALUE } from '../uas/phrases.ts';
import { REASON_PUSH_WITHOUT_VALUE } from '../uas/reasons.ts';
import { refuse } from '../uas/response.ts';

const NEED_A_VALUE = ['pn-prid', 'pn-param', 'pn-purr'].map(ascii);

/** 0, or 400: a contact has pn-prid, pn-param or pn-purr without a value. */
export function checkPush(exchange: Exchange): number {
  for (let i = 0, contact = T_CONTACTS; i < table[T_CONTACT_COUNT]; i++, contact += CONTACT_INTS) {
    const at = table[contact + URI_PARAMS_AT];
    if (at >= 0 && lacksValue(at, table[contact + URI_PARAMS_END]))
      return refuse(exchange, 400, PUSH_WITHOUT_VALUE, REASON_PUSH_WITHOUT_VALUE);
  }
  return 0;
}

function lacksValue(at: number, end: number): boolean {
  for (let p = at; p < end; p++) {
    if (slab[p] !== SEMICOLON) continue;
    for (let i = 0; i < NEED_A_VALUE.length; i++) {
      const name = NEED_A_VALUE[i];
      const after = p + 1 + name.length;
      if (after > end || !isText(slab, p + 1, after, name)) continue;
      if (after === end || slab[after] === SEMICOLON) return true;
      if (slab[after] === EQUALS && (after + 1 === end || slab[after + 1] === SEMICOLON)) return true;
    }
  }
  return false;
}
