// Whether a REGISTER repeats one that an earlier life of the shard has carried out: transactions do not outlive a restart, bindings
// do. A repeat is answered like its first copy and changes nothing. Reading only.
// @hot

import { table } from '../../sip/parser/slab.ts';
import { CONTACT_INTS, T_CONTACT_COUNT, T_CONTACTS, T_CSEQ } from '../../sip/parser/span-table.ts';
import { sameBytes } from '../../sip/scanner.ts';
import { AS_SENT } from '../../sip/uri/uri-spelling.ts';
import { cseqOf, hasCallIdOfRequest, imageLength, isOfNonce, nonceIdOf, refreshedAtOf } from '../binding/binding.ts';
import { DISPLAY_LENGTH, REG_ID, SOURCE_FAMILY } from '../binding/image-layout.ts';
import { isTarget } from '../binding/target.ts';
import type { Exchange } from '../uas/exchange.ts';
import type { Policy } from '../uas/policy.ts';
import { writeImage } from './binding-writer.ts';
import { grantedOf, requestedExpiresS } from './contact/contact-expires.ts';
import { contactSpelling } from './contact/contact-spelling.ts';
import type { WorkingBindings } from './working-bindings.ts';

/**
 * Whether an earlier life has carried out the request in the table: every contact that stays is bound as this request would bind it;
 * no contact that it removes is bound. A request that only removes leaves no trace to recognize it by.
 */
export function isRepeat(exchange: Exchange, policy: Policy, bindings: WorkingBindings): boolean {
  let staying = 0;
  for (let i = 0, contact = T_CONTACTS; i < table[T_CONTACT_COUNT]; i++, contact += CONTACT_INTS) {
    const seconds = requestedExpiresS(contact, policy);
    const binding = seconds === 0 ? bindings.findOld(exchange, contact) : bindings.find(exchange, contact);
    if (seconds > 0 && (binding < 0 || !isMadeBy(exchange, contact, bindings.imageAt[binding], seconds, policy)))
      return false;
    if (seconds === 0 && binding >= 0 && !isNamedTwice(exchange, policy, bindings, binding)) return false;
    if (seconds > 0) staying++;
  }
  return staying > 0;
}

/** Whether a contact of the request that stays is the binding: then a contact with a zero interval does not name it. */
function isNamedTwice(exchange: Exchange, policy: Policy, bindings: WorkingBindings, binding: number): boolean {
  for (let i = 0, contact = T_CONTACTS; i < table[T_CONTACT_COUNT]; i++, contact += CONTACT_INTS)
    if (requestedExpiresS(contact, policy) > 0 && bindings.find(exchange, contact) === binding) return true;
  return false;
}

/** Whether the image equals the one that the contact would make, from any source, and was made by such a request in another life. */
function isMadeBy(exchange: Exchange, contact: number, image: number, seconds: number, { timerJMs }: Policy): boolean {
  const { request, work } = exchange;
  const { state, now, clocksDifferMs } = request;
  const refreshedAt = refreshedAtOf(state, image);
  if (refreshedAt >= request.startedAt || now - refreshedAt > timerJMs + clocksDifferMs) return false;
  if (cseqOf(state, image) !== table[T_CSEQ] >>> 0 || !hasCallIdOfRequest(state, image)) return false;
  const nonce = work.authenticated ? nonceIdOf(work.nonceIdHigh, work.nonceIdLow) : 0;
  if (!isOfNonce(state, image, nonce) || grantedOf(state, image) > seconds) return false;
  return isTarget(state, image, now, request.liveFlows) && hasSameTexts(exchange, contact, image);
}

function hasSameTexts(exchange: Exchange, contact: number, image: number): boolean {
  const w = exchange.result.record;
  const at = w.at;
  const { state } = exchange.request;
  writeImage(w, contact, exchange, -1, 0, contactSpelling(contact) === AS_SENT);
  const length = w.at - at;
  const isWhole = !w.overflow && length === imageLength(state, image);
  w.at = at;
  return (
    isWhole &&
    sameBytes(w.bytes, at + REG_ID, at + SOURCE_FAMILY, state, image + REG_ID, image + SOURCE_FAMILY) &&
    sameBytes(w.bytes, at + DISPLAY_LENGTH, at + length, state, image + DISPLAY_LENGTH, image + length)
  );
}
