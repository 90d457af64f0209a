// Registrations for many numbers at once (RFC 6140 §5): rules for a REGISTER with `Require: gin` or a contact with `bnc`.
// bulk-numbers.ts has the numbers of a PBX, bulk-contacts.ts makes the contacts of lookups.
// @hot

import { slab, table } from '../../sip/parser/slab.ts';
import {
  CONTACT_INTS,
  OPTION_GIN,
  SCHEME_SIP,
  SCHEME_SIPS,
  T_CONTACT_COUNT,
  T_CONTACTS,
  T_REQUIRE,
  URI_SCHEME,
  URI_USER_AT,
} from '../../sip/parser/span-table.ts';
import { hasUriParam, uriParamAt } from '../../sip/uri/uri-param.ts';
import { ascii, type Writer } from '../../sip/writer.ts';
import { BulkNumbers } from '../lookup/bulk-numbers.ts';
import type { Exchange } from '../uas/exchange.ts';
import { BULK_CONTACT_WITH_USER, GIN_WITHOUT_BULK_CONTACT, NO_NUMBERS, NUMBER_OF_PBX, PHRASE } from '../uas/phrases.ts';
import { type Policy, servesBulk } from '../uas/policy.ts';
import {
  REASON_BAD_BULK_CONTACT,
  REASON_GIN_REQUIRED,
  REASON_NO_NUMBERS,
  REASON_NUMBER_OF_PBX,
} from '../uas/reasons.ts';
import { refuse } from '../uas/response.ts';
import { requestedExpiresS } from './contact/contact-expires.ts';

const BNC = ascii('bnc');
const USER = ascii('user');
const REQUIRE_GIN = ascii('Require: gin\r\n');
const ANSWER_ROWS = ascii('Supported: gin\r\nRequire: gin\r\n');

export class BulkRules {
  /** Null where no PBX has numbers. */
  readonly numbers: BulkNumbers | null;
  /** Whether PBXs may register their numbers. */
  readonly served: boolean;
  private readonly policy: Policy;

  /**
   * @param secret 32 bytes: the data directory's
   * @param like another of the same server
   */
  constructor(policy: Policy, secret: Uint8Array, like: BulkRules | null) {
    this.policy = policy;
    this.numbers = like?.numbers ?? BulkNumbers.of(policy.bulkNumbers, secret);
    this.served = servesBulk(policy);
  }

  /** Whether the request in the table requires gin. */
  get areAskedFor(): boolean {
    return this.served && requiresGin();
  }

  /** 0, or the status of the answer written. */
  check(exchange: Exchange): number {
    const { numbers, policy } = this;
    return numbers === null ? 0 : checkBulk(exchange, policy, numbers);
  }

  /** The rows of a 200 that lists a contact for many numbers. */
  writeRows(answer: Writer): void {
    answer.text(ANSWER_ROWS);
  }
}

function requiresGin(): boolean {
  return (table[T_REQUIRE] & OPTION_GIN) !== 0;
}

/** 0, or the status of the answer written. */
function checkBulk(exchange: Exchange, policy: Policy, numbers: BulkNumbers): number {
  const { aor, aorLength } = exchange.request;
  const count = table[T_CONTACT_COUNT];
  let bulk = 0;
  let staying = 0;
  for (let i = 0, contact = T_CONTACTS; i < count; i++, contact += CONTACT_INTS) {
    if (requestedExpiresS(contact, policy) > 0) staying++;
    if (!isBulk(contact)) continue;
    bulk++;
    if (uriParamAt() >= 0 || table[contact + URI_USER_AT] >= 0 || hasUriParam(slab, table, contact, USER))
      return refuse(exchange, 400, BULK_CONTACT_WITH_USER, REASON_BAD_BULK_CONTACT);
  }
  if (bulk > 0 && !requiresGin()) return refuse(exchange, 421, PHRASE[421], REASON_GIN_REQUIRED, REQUIRE_GIN);
  if (bulk > 0 && staying > 0 && !numbers.areOf(aor, aorLength))
    return refuse(exchange, 403, NO_NUMBERS, REASON_NO_NUMBERS);
  if (bulk === 0 && count > 0 && requiresGin())
    return refuse(exchange, 400, GIN_WITHOUT_BULK_CONTACT, REASON_BAD_BULK_CONTACT);
  if (staying > 0 && numbers.find(aor, aorLength) !== null)
    return refuse(exchange, 403, NUMBER_OF_PBX, REASON_NUMBER_OF_PBX);
  return 0;
}

/** Whether the contact is a SIP URI with `bnc`. */
function isBulk(contact: number): boolean {
  const scheme = table[contact + URI_SCHEME];
  return (scheme === SCHEME_SIP || scheme === SCHEME_SIPS) && hasUriParam(slab, table, contact, BNC);
}
