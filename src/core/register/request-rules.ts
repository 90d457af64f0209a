// Rules for a REGISTER that do not depend on bindings: step 5 of RFC 3261 §10.3, and that part of steps 6 and 7. They check the AOR and
// the contacts. uas.ts does steps 1 and 2 (domain, Require), the same for every request; steps 3 and 4
// (authentication, authorisation) come between, if they are on.
// @hot

import { table } from '../../sip/parser/slab.ts';
import {
  ABSENT,
  ADDRESS_AT,
  CONTACT_AT,
  CONTACT_END,
  CONTACT_INTS,
  CONTACT_Q,
  CONTACT_REG_ID,
  MALFORMED,
  SCHEME_SIP,
  SCHEME_SIPS,
  T_CALL_ID_AT,
  T_CALL_ID_END,
  T_CONTACT_COUNT,
  T_CONTACT_STAR,
  T_CONTACTS,
  T_EXPIRES,
  T_TO,
  URI_SCHEME,
} from '../../sip/parser/span-table.ts';
import type { Exchange } from '../uas/exchange.ts';
import {
  BAD_Q,
  BAD_REG_ID,
  BAD_WILDCARD,
  CALL_ID_TOO_LONG,
  CONTACT_TOO_LONG,
  NOT_A_SIP_AOR,
  PHRASE,
} from '../uas/phrases.ts';
import type { Policy } from '../uas/policy.ts';
import {
  REASON_AOR_NOT_SERVED,
  REASON_AOR_NOT_SIP,
  REASON_BAD_Q,
  REASON_BAD_REG_ID,
  REASON_CALL_ID_TOO_LONG,
  REASON_CONTACT_TOO_LONG,
  REASON_WILDCARD,
} from '../uas/reasons.ts';
import { refuse } from '../uas/response.ts';
import { ServedHosts } from '../uas/served-hosts.ts';
import { AllowedSources } from './allowed-sources.ts';
import type { BulkRules } from './bulk-rules.ts';
import { requestedExpiresS } from './contact/contact-expires.ts';
import type { Gruus } from './gruu.ts';
import { checkInstances, hasInstances } from './gruu-rules.ts';
import { checkFlows } from './outbound.ts';
import { checkPath } from './path.ts';
import { checkPush } from './push-rules.ts';
import { PushServices } from './push-services.ts';
import { checkSips } from './sips-rules.ts';
import { BRIEF_BELOW_S, refuseTooBrief } from './too-brief.ts';

const GO_ON = 0;

export class RequestRules {
  private readonly policy: Policy;
  private readonly gruus: Gruus | null;
  private readonly hosts: ServedHosts;
  private readonly sources: AllowedSources;
  private readonly bulk: BulkRules;
  /** Null: none is served. */
  readonly push: PushServices | null;

  /** @param like others of the same server */
  constructor(policy: Policy, gruus: Gruus | null, bulk: BulkRules, like: RequestRules | null) {
    this.policy = policy;
    this.gruus = gruus;
    this.bulk = bulk;
    this.push = like === null ? policy.push && new PushServices(policy.push) : like.push;
    this.hosts = like?.hosts ?? new ServedHosts(policy);
    this.sources = new AllowedSources(policy);
  }

  /** 0, or the status of the answer written. */
  check(exchange: Exchange): number {
    const { policy } = this;
    return (
      this.step5AddressOfRecord(exchange) ||
      (this.sources.all ? GO_ON : this.sources.check(exchange)) ||
      this.checkWildcard(exchange) ||
      this.checkContacts(exchange) ||
      checkPath(exchange, policy) ||
      checkSips(exchange, policy) ||
      checkPush(exchange, policy, this.push) ||
      checkFlows(exchange, policy) ||
      this.checkInstances(exchange) ||
      (this.bulk.served ? this.bulk.check(exchange) : GO_ON)
    );
  }

  /** The AOR is To's. Its host must be the Request-URI's domain or, where that names the server itself, any served domain. */
  private step5AddressOfRecord(exchange: Exchange): number {
    const scheme = table[T_TO + URI_SCHEME];
    if (table[T_TO + ADDRESS_AT] === ABSENT || (scheme !== SCHEME_SIP && scheme !== SCHEME_SIPS))
      return refuse(exchange, 400, NOT_A_SIP_AOR, REASON_AOR_NOT_SIP);
    const { aorLength } = exchange.request;
    if (aorLength < 0 || aorLength > this.policy.aorBytesMax)
      return refuse(exchange, 404, PHRASE[404], REASON_AOR_NOT_SERVED);
    if (!this.hosts.haveTo()) return refuse(exchange, 404, PHRASE[404], REASON_AOR_NOT_SERVED);
    return GO_ON;
  }

  /** "*" must be the only contact, with an Expires header of zero (step 6). */
  private checkWildcard(exchange: Exchange): number {
    if (table[T_CONTACT_STAR] === 0) return GO_ON;
    if (table[T_CONTACT_STAR] === 1 && table[T_CONTACT_COUNT] === 0 && table[T_EXPIRES] === 0) return GO_ON;
    return refuse(exchange, 400, BAD_WILDCARD, REASON_WILDCARD);
  }

  private checkContacts(exchange: Exchange): number {
    const count = table[T_CONTACT_COUNT];
    if (table[T_CALL_ID_END] - table[T_CALL_ID_AT] > this.policy.callIdBytesMax)
      return refuse(exchange, 400, CALL_ID_TOO_LONG, REASON_CALL_ID_TOO_LONG);
    for (let i = 0, contact = T_CONTACTS; i < count; i++, contact += CONTACT_INTS) {
      if (table[contact + CONTACT_END] - table[contact + CONTACT_AT] > this.policy.contactBytesMax)
        return refuse(exchange, 400, CONTACT_TOO_LONG, REASON_CONTACT_TOO_LONG);
      if (table[contact + CONTACT_Q] === MALFORMED) return refuse(exchange, 400, BAD_Q, REASON_BAD_Q);
      if (table[contact + CONTACT_REG_ID] === MALFORMED) return refuse(exchange, 400, BAD_REG_ID, REASON_BAD_REG_ID);
      if (this.isTooBrief(requestedExpiresS(contact, this.policy)))
        return refuseTooBrief(exchange, this.policy.minExpiresS);
    }
    return GO_ON;
  }

  private checkInstances(exchange: Exchange): number {
    const { gruus, policy } = this;
    return gruus !== null && hasInstances() ? checkInstances(exchange, policy, gruus) : GO_ON;
  }

  private isTooBrief(seconds: number): boolean {
    return seconds > 0 && seconds < BRIEF_BELOW_S && seconds < this.policy.minExpiresS;
  }
}
