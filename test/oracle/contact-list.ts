// The Contact rows of a 200 (RFC 3261 §10.3 step 8): one for each binding, for a client that knows GRUUs with the public one
// and the newest temporary one of its instance (RFC 5627 §5.2).

import {
  displayAt,
  epochOf,
  expiresAtOf,
  imageLength,
  instanceAt,
  instanceEnd,
  paramsEnd,
  uriAt,
  uriEnd,
} from '../../src/core/binding/binding.ts';
import { isTarget, newestOfInstance } from '../../src/core/binding/target.ts';
import type { Exchange } from '../../src/core/uas/exchange.ts';
import { ascii } from '../../src/sip/writer.ts';
import { type Gruus, isGruuInstance } from './gruu.ts';

const CONTACT = ascii('Contact: ');
const EXPIRES = ascii(';expires=');
const CRLF = ascii('\r\n');
const PUB_GRUU = ascii(';pub-gruu="');
const TEMP_GRUU = ascii('";temp-gruu="');
const QUOTE = 0x22;
const LOWER_S = 0x73;
const SCHEME_LETTERS = 3;

/** Lists the images in bytes[from, to) that have not run out and whose way is open, with the seconds they have left. */
export function listContacts(
  exchange: Exchange,
  bytes: Uint8Array,
  from: number,
  to: number,
  gruus: Gruus | null,
): void {
  const w = exchange.result.answer;
  for (let at = from; at < to; at += imageLength(bytes, at)) {
    if (!isTarget(bytes, at, exchange.request.now, exchange.request.liveFlows)) continue;
    const leftMs = expiresAtOf(bytes, at) - exchange.request.now;
    const uri = uriAt(bytes, at);
    w.text(CONTACT);
    if (uri > displayAt(bytes, at)) {
      w.span(bytes, displayAt(bytes, at), uri);
      w.byte(0x20);
    }
    w.byte(0x3c);
    w.span(bytes, uri, uriEnd(bytes, at));
    w.byte(0x3e);
    w.span(bytes, uriEnd(bytes, at), paramsEnd(bytes, at));
    if (gruus !== null) writeGruus(exchange, gruus, bytes, from, to, at);
    w.text(EXPIRES);
    w.number(leftMs < 1000 ? 1 : Math.floor(leftMs / 1000));
    w.text(CRLF);
  }
}

/** Writes pub-gruu and temp-gruu of the image at `at`, one of those in bytes[from, to); nothing where it has no GRUUs. */
function writeGruus(exchange: Exchange, gruus: Gruus, bytes: Uint8Array, from: number, to: number, at: number): void {
  if (!isGruuInstance(bytes, instanceAt(bytes, at), instanceEnd(bytes, at))) return;
  const { answer } = exchange.result;
  const { aor, aorLength, aorKey } = exchange.request;
  // A sips contact gets the sips GRUU, a sip contact the sip one (RFC 5630 §5.2.1).
  const sips = (bytes[uriAt(bytes, at) + SCHEME_LETTERS] | 0x20) === LOWER_S;
  answer.text(PUB_GRUU);
  gruus.writePublic(answer, aor, aorLength, sips, bytes, at);
  const newest = newestOfInstance(
    bytes,
    from,
    to,
    exchange.request.now,
    exchange.request.liveFlows,
    bytes,
    instanceAt(bytes, at),
    instanceEnd(bytes, at),
    0,
  );
  if (epochOf(bytes, newest) !== 0) {
    answer.text(TEMP_GRUU);
    gruus.writeTemporary(answer, aor, aorLength, aorKey, sips, bytes, newest);
  }
  answer.byte(QUOTE);
}
