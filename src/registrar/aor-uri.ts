// Which URI of the request in the span table names the address-of-record that it is about. @hot

import { table } from '../sip/slab.ts';
import { METHOD_REGISTER, T_METHOD, T_REQUEST_URI, T_TO, URI_USER_AT } from '../sip/span-table.ts';

/** Its record in the table: To for REGISTER (RFC 3261 §10.3 step 5), else a Request-URI that names a user. */
export function aorUri(): number {
  return table[T_METHOD] !== METHOD_REGISTER && table[T_REQUEST_URI + URI_USER_AT] >= 0 ? T_REQUEST_URI : T_TO;
}
