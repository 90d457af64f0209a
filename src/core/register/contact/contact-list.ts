// The Contact rows of a 200 (RFC 3261 §10.3 step 8): one for each binding; for a client that supports GRUUs with the public one
// and the newest temporary one of its instance (RFC 5627 §5.2). This file chooses the rows; the module writes them.
// @hot

import { Writer } from '../../../sip/writer.ts';
import {
  cseqOf,
  displayAt,
  epochOf,
  expiresAtOf,
  imageLength,
  instanceAt,
  instanceEnd,
  paramsEnd,
  regIdOf,
  uriAt,
  uriEnd,
} from '../../binding/binding.ts';
import { TEXTS } from '../../binding/image-layout.ts';
import { isTarget, newestOfInstance } from '../../binding/target.ts';
import { isBulkContact } from '../../lookup/bulk-contacts.ts';
import type { Exchange } from '../../uas/exchange.ts';
import { tellAor } from '../../wasm/aor-words.ts';
import { IMAGE, IN_BULK, SPELLED, SPELLED_BYTES } from '../../wasm/module-memory.ts';
import { requestModule, moduleBytes as theBytes, toldWords } from '../../wasm/request-module.ts';
import { type Gruus, isGruuInstance } from '../gruu.ts';

// Constants of this module: V8 compiles them in, while it loads an import each time it is used.
const module = requestModule;
const moduleBytes = theBytes;
const told = toldWords;
const SECONDS_MAX = 0xffff_ffff;

const texts = new Writer();

/**
 * Lists the targets among the images in bytes[from, to), with their remaining seconds.
 * @param servesBulk a contact with `bnc` is a PBX's
 */
export function listContacts(
  exchange: Exchange,
  bytes: Uint8Array,
  from: number,
  to: number,
  gruus: Gruus | null,
  servesBulk: boolean,
): void {
  const { aor, aorLength, aorKey, now, liveFlows } = exchange.request;
  if (gruus !== null) tellAor(aor, aorLength, aorKey, gruus);
  for (let at = from; at < to; at += imageLength(bytes, at)) {
    if (!isTarget(bytes, at, now, liveFlows)) continue;
    const isBulk = servesBulk && isBulkContact(bytes, at);
    if (isBulk) told[IN_BULK] = 1;
    listContact(exchange, bytes, from, to, at, gruus !== null);
    if (isBulk) told[IN_BULK] = 0;
  }
}

function listContact(
  exchange: Exchange,
  bytes: Uint8Array,
  from: number,
  to: number,
  at: number,
  withGruus: boolean,
): void {
  const { now, liveFlows } = exchange.request;
  const { answer: w, newImageAt, record } = exchange.result;
  const leftMs = expiresAtOf(bytes, at) - now;
  const seconds = leftMs < 1000 ? 1 : Math.floor(leftMs / 1000);
  const display = displayAt(bytes, at);
  const uri = uriAt(bytes, at);
  const params = uriEnd(bytes, at);
  const instance = instanceAt(bytes, at);
  const idEnd = instanceEnd(bytes, at);
  const instanceLength = withGruus && isGruuInstance(bytes, instance, idEnd) ? idEnd - instance : 0;
  const isOnly = instanceLength === 0 || (at === from && at + imageLength(bytes, at) === to);
  const newest = isOnly ? at : newestOfInstance(bytes, from, to, now, liveFlows, bytes, instance, idEnd, 0);
  const isHeld = at === newImageAt && bytes === record.bytes;
  w.advance(
    module.contact(
      w.at,
      isHeld ? IMAGE + TEXTS : copyTexts(bytes, display, paramsEnd(bytes, at)),
      uri - display,
      params - uri,
      paramsEnd(bytes, at) - params,
      seconds > SECONDS_MAX ? SECONDS_MAX : seconds,
      instance - params,
      instanceLength,
      epochOf(bytes, newest),
      cseqOf(bytes, newest),
      regIdOf(bytes, newest),
    ),
  );
}

/** Copies the texts of an image into the module's memory; returns their address. */
function copyTexts(bytes: Uint8Array, at: number, end: number): number {
  texts.start(moduleBytes, SPELLED, SPELLED + SPELLED_BYTES);
  texts.span(bytes, at, end);
  return SPELLED;
}
