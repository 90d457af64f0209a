// Has the module write the image of a binding (layout: image-layout.ts) from a parsed Contact of the request in the table, and copies
// it into a record. Content and expiry are registrar.ts's.
// @hot

import { Writer } from '../../sip/writer.ts';
import { nonceIdOf, timeOf } from '../binding/binding.ts';
import { REGISTERED_AT } from '../binding/image-layout.ts';
import { contactInstanceAt, contactInstanceEnd } from '../binding/instance-id.ts';
import type { Exchange } from '../uas/exchange.ts';
import * as layout from '../wasm/module-memory.ts';
import { requestModule, moduleBytes as theBytes, toldWords } from '../wasm/request-module.ts';
import { tellSource } from '../wasm/source-words.ts';
import { Views } from '../wasm/views.ts';
import { imageFlags } from './contact/contact-reach.ts';
import { writeContactParams, writeContactUri, writeDisplay } from './contact/contact-spelling.ts';
import { flowRegId } from './outbound.ts';

// Constants of this module: V8 compiles them in, while it loads an import each time it is used.
const module = requestModule;
const moduleBytes = theBytes;
const told = toldWords;

const images = new Views(layout.IMAGE);
const spelled = new Writer();

/**
 * Writes the image of a Contact of the request in the table (its record starts at `contact`).
 * @param before the image in the request's state that this one replaces, or negative
 * @param expiresAt epoch ms
 * @param asSent the contact is well formed (contact-spelling.ts); else its spelling is corrected
 */
export function writeImage(
  w: Writer,
  contact: number,
  exchange: Exchange,
  before: number,
  expiresAt: number,
  asSent: boolean,
): void {
  const { request, work } = exchange;
  const { now } = request;
  const { authenticated } = work;
  tellSource(request.peers, request.peer, request.tagHigh, request.tagLow);
  if (!asSent) spell(contact);
  const length = module.image(
    contact,
    imageFlags(contact, exchange),
    flowRegId(contact, work),
    contactInstanceAt(contact),
    contactInstanceEnd(contact),
    expiresAt,
    now,
    before >= 0 ? timeOf(request.state, before + REGISTERED_AT) : now,
    authenticated ? nonceIdOf(work.nonceIdHigh, work.nonceIdLow) : 0,
    authenticated ? work.highestNc : 0,
    asSent ? 0 : 1,
  );
  copyImage(w, length);
}

/** Copies the image of this length that the module wrote last. */
export function copyImage(w: Writer, length: number): void {
  w.copy(images.of(length));
}

/** Writes the contact's texts in a well-formed spelling to the memory that the module reads. */
function spell(contact: number): void {
  spelled.start(moduleBytes, layout.SPELLED, layout.SPELLED + layout.SPELLED_BYTES);
  writeDisplay(spelled, contact);
  const uri = spelled.at;
  writeContactUri(spelled, contact);
  const params = spelled.at;
  told[layout.IN_INSTANCE_OFFSET] = writeContactParams(spelled, contact);
  told[layout.IN_DISPLAY_LENGTH] = uri - layout.SPELLED;
  told[layout.IN_URI_LENGTH] = params - uri;
  told[layout.IN_PARAMS_LENGTH] = spelled.at - params;
}
