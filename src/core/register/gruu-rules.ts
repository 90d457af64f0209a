// RFC 5627 §5.1's rules for a REGISTER with instance IDs: contacts that would loop are refused, temporary GRUUs end when an
// instance restarts. The valid ones share an epoch, four bytes in the images of their instance; another epoch
// ends them all. gruu.ts has the form of GRUUs.
// @hot

import { slab, table } from '../../sip/parser/slab.ts';
import {
  CONTACT_INSTANCE_AT,
  CONTACT_INTS,
  SCHEME_SIP,
  SCHEME_SIPS,
  T_CONTACT_COUNT,
  T_CONTACTS,
  URI_PORT,
  URI_SCHEME,
} from '../../sip/parser/span-table.ts';
import { canonicalAor } from '../../sip/uri/uri.ts';
import { epochOf, hasCallIdOfRequest } from '../binding/binding.ts';
import { contactInstanceAt, contactInstanceEnd, foldedLength, hasInstance } from '../binding/instance-id.ts';
import { isOfInstance, newestOfInstance } from '../binding/target.ts';
import type { Exchange, ExchangeRequest, ExchangeWork } from '../uas/exchange.ts';
import { CONTACT_IS_AOR, CONTACT_IS_NO_SIP_URI } from '../uas/phrases.ts';
import type { Policy } from '../uas/policy.ts';
import { REASON_CONTACT_IS_AOR, REASON_CONTACT_NOT_SIP } from '../uas/reasons.ts';
import { refuse } from '../uas/response.ts';
import { requestedExpiresS } from './contact/contact-expires.ts';
import { GRUU_TEMPORARY, type Gruus } from './gruu.ts';
import { flowRegId } from './outbound.ts';
import type { WorkingBindings } from './working-bindings.ts';

type Asked = Readonly<ExchangeRequest>;

const aor = new Uint8Array(1024);

/** Whether any Contact of the request in the table has +sip.instance. */
export function hasInstances(): boolean {
  for (let i = 0, contact = T_CONTACTS; i < table[T_CONTACT_COUNT]; i++, contact += CONTACT_INTS)
    if (table[contact + CONTACT_INSTANCE_AT] >= 0) return true;
  return false;
}

/** 0, or 403: a contact with an instance that stays must be a SIP URI and must not lead back to the AOR. */
export function checkInstances(exchange: Exchange, policy: Policy, gruus: Gruus): number {
  for (let i = 0, contact = T_CONTACTS; i < table[T_CONTACT_COUNT]; i++, contact += CONTACT_INTS) {
    if (!hasInstance(contact) || requestedExpiresS(contact, policy) === 0) continue;
    const scheme = table[contact + URI_SCHEME];
    if (scheme !== SCHEME_SIP && scheme !== SCHEME_SIPS)
      return refuse(exchange, 403, CONTACT_IS_NO_SIP_URI, REASON_CONTACT_NOT_SIP);
    if (table[contact + URI_PORT] < 0 && isAor(exchange.request, contact))
      return refuse(exchange, 403, CONTACT_IS_AOR, REASON_CONTACT_IS_AOR);
    if (gruus.read(slab, table, contact) === GRUU_TEMPORARY && isAorKey(exchange.request, gruus.aorKey))
      return refuse(exchange, 403, CONTACT_IS_AOR, REASON_CONTACT_IS_AOR);
  }
  return 0;
}

/** Whether the contact is the AOR itself, under either scheme and with any parameters, like its public GRUUs: a request would loop. */
function isAor(request: Asked, contact: number): boolean {
  if (canonicalAor(slab, table, contact, aor) !== request.aorLength) return false;
  for (let i = 0; i < request.aorLength; i++) if (aor[i] !== request.aor[i]) return false;
  return true;
}

function isAorKey(request: Asked, key: Uint32Array): boolean {
  for (let i = 0; i < 4; i++) if (key[i] !== request.aorKey[i]) return false;
  return true;
}

/** Sets the epoch of its instance in every binding that the request makes; a new epoch also in the instance's other bindings. */
export function settleEpochs({ request, work }: Exchange, bindings: WorkingBindings): void {
  bindings.startEpochs();
  for (let i = 0; i < bindings.count; i++) {
    const contact = bindings.contact[i];
    if (contact < 0 || !hasInstance(contact)) continue;
    const newest = newestOf(request, contact, 0);
    if (newest >= 0 && !isNewLife(request, work, contact) && hasEpoch(request, newest)) {
      bindings.setEpoch(i, epochOf(request.state, newest));
      continue;
    }
    const salt = table[T_CONTACT_COUNT] > 1 ? instanceHash(contact) : 0;
    const epoch = (request.tagHigh ^ Math.imul(request.tagLow ^ request.now, 0x9e3779b1) ^ salt) >>> 0 || 1;
    bindings.setEpoch(i, epoch);
    for (let j = 0; newest >= 0 && j < bindings.count; j++)
      if (bindings.isUntouched(j) && isOfContact(request, bindings.imageAt[j], contact)) bindings.setEpoch(j, epoch);
  }
}

/** Whether the newest binding of this instance has another Call-ID; where the contact is a flow, the newest of this reg-id. */
function isNewLife(request: Asked, work: ExchangeWork, contact: number): boolean {
  const newest = newestOf(request, contact, flowRegId(contact, work));
  return newest >= 0 && !hasCallIdOfRequest(request.state, newest);
}

/**
 * Image of the instance's newest binding from before this request (with this reg-id, unless 0), or -1. A closed connection ends no epoch: a
 * phone that comes back in the flow's grace keeps its temporary GRUUs.
 */
function newestOf(request: Asked, contact: number, regId: number): number {
  const id = contactInstanceAt(contact);
  const idEnd = contactInstanceEnd(contact);
  const { state, stateAt, stateEnd, now } = request;
  return newestOfInstance(state, stateAt, stateEnd, now, null, slab, id, idEnd, regId);
}

function hasEpoch(request: Asked, image: number): boolean {
  return epochOf(request.state, image) !== 0;
}

function isOfContact(request: Asked, image: number, contact: number): boolean {
  return isOfInstance(request.state, image, slab, contactInstanceAt(contact), contactInstanceEnd(contact));
}

/** A hash that separates the instances of one request, the same for two spellings of one. */
function instanceHash(contact: number): number {
  const at = contactInstanceAt(contact);
  const end = contactInstanceEnd(contact);
  const folded = at + foldedLength(slab, at, end);
  let hash = 0x811c9dc5;
  for (let p = at; p < end; p++) hash = Math.imul(hash ^ (p < folded ? slab[p] | 0x20 : slab[p]), 0x01000193);
  return hash;
}
