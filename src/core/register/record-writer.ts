// Writes the AOR's bindings after a REGISTER, with the nonces that they name. working-bindings.ts has the
// list of bindings.
// @hot

import { CONTACT_INTS, T_CONTACTS } from '../../sip/parser/span-table.ts';
import { imageLength, nonceIdOf, raiseNc, setEpoch } from '../binding/binding.ts';
import { highestNc } from '../binding/images.ts';
import type { PlainBinding } from '../binding/plain-binding.ts';
import { copyAsleep } from '../binding/sleep.ts';
import type { Exchange, ExchangeWork } from '../uas/exchange.ts';
import { writeImage } from './binding-writer.ts';
import type { WorkingBindings } from './working-bindings.ts';

/** Sets the binding's nonce to the request's, with its highest nc: the request's, or a higher one that the binding has. */
export function renewNonce(work: ExchangeWork, binding: PlainBinding): void {
  const id = nonceIdOf(work.nonceIdHigh, work.nonceIdLow);
  if (work.authenticated) raiseHighestNc(work, binding.nonceId === id ? binding.highestNc : -1);
  binding.nonceId = work.authenticated ? id : 0;
  binding.highestNc = work.authenticated ? work.highestNc : 0;
}

function raiseHighestNc(work: ExchangeWork, known: number): void {
  work.highestNc = known > work.nc ? known : work.nc;
}

/**
 * Copies kept bindings and writes those of this request, in the order in which they first came. All bindings made with the request's
 * nonce name its highest nc: if any of them is removed, a restart still knows every use.
 * @param asSent by contact of the request: 1 where it is written as it was sent
 */
export function writeRecord(exchange: Exchange, bindings: WorkingBindings, asSent: Uint8Array): void {
  const { request, work, result } = exchange;
  const { state } = request;
  const { authenticated, nonceIdHigh, nonceIdLow } = work;
  const w = result.record;
  if (authenticated) raiseHighestNc(work, highestNc(state, request.stateAt, request.stateEnd, nonceIdHigh, nonceIdLow));
  bindings.recordAt = w.at;
  for (let i = 0; i < bindings.count; i++) {
    const image = bindings.imageAt[i];
    const contact = bindings.contact[i];
    const at = w.at;
    if (contact >= 0) {
      const unchanged = asSent[(contact - T_CONTACTS) / CONTACT_INTS] === 1;
      writeImage(w, contact, exchange, image, bindings.expiresAt[i], unchanged);
      result.newImageAt = at;
    } else if (image >= 0 && !bindings.isGone(i)) {
      if (bindings.fallsAsleep(i, request)) copyAsleep(w, state, image);
      else w.span(state, image, image + imageLength(state, image));
      if (authenticated && !w.overflow) raiseNc(w.bytes, at, nonceIdHigh, nonceIdLow, work.highestNc);
    }
    if (bindings.hasEpochs && bindings.epochSet[i] === 1 && !w.overflow) setEpoch(w.bytes, at, bindings.epoch[i]);
  }
}
