// Whether the contacts of a REGISTER can be shown to others. Before any binding: each as it was sent, or in an equal spelling;
// 400 where it has none (contact-spelling.ts chooses it).
// @hot

import { E_CONTACT } from '../../../sip/parser/parse-error.ts';
import { table } from '../../../sip/parser/slab.ts';
import { CONTACT_INTS, T_CONTACT_COUNT, T_CONTACTS } from '../../../sip/parser/span-table.ts';
import { AS_SENT, UNWRITABLE } from '../../../sip/uri/uri-spelling.ts';
import { Writer } from '../../../sip/writer.ts';
import type { Exchange } from '../../uas/exchange.ts';
import { CONTACT_TOO_LONG, PARSE_PHRASE } from '../../uas/phrases.ts';
import type { Policy } from '../../uas/policy.ts';
import { REASON_CONTACT_TOO_LONG } from '../../uas/reasons.ts';
import { refuse } from '../../uas/response.ts';
import { requestedExpiresS } from './contact-expires.ts';
import { contactSpelling, writeContactParams, writeContactUri, writeDisplay } from './contact-spelling.ts';

const SCRATCH_BYTES = 16_384;
const scratch = new Uint8Array(SCRATCH_BYTES);
const written = new Writer();

/** 0, and `asSent` by contact: 1 where it is written as it was sent; or the status of the answer written. */
export function checkSpellings(exchange: Exchange, policy: Policy, asSent: Uint8Array): number {
  for (let i = 0, contact = T_CONTACTS; i < table[T_CONTACT_COUNT]; i++, contact += CONTACT_INTS) {
    asSent[i] = 1;
    if (requestedExpiresS(contact, policy) === 0) continue; // it names a binding and is shown to nobody
    const spelling = contactSpelling(contact);
    if (spelling === AS_SENT) continue;
    if (spelling === UNWRITABLE) return refuse(exchange, 400, PARSE_PHRASE[E_CONTACT], E_CONTACT);
    if (isTooLong(contact, policy.contactBytesMax))
      return refuse(exchange, 400, CONTACT_TOO_LONG, REASON_CONTACT_TOO_LONG);
    asSent[i] = 0;
  }
  return 0;
}

/** Whether the contact is too long when rewritten: escapes make a URI three times as long at most. */
function isTooLong(contact: number, bytesMax: number): boolean {
  written.start(scratch, 0, bytesMax);
  writeDisplay(written, contact);
  writeContactUri(written, contact);
  writeContactParams(written, contact);
  return written.overflow;
}
