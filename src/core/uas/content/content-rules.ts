// The content that a registrar accepts (RFC 3261 §8.2.3), and the client's Accept (§20.1).
// @hot

import { slab, table } from '../../../sip/parser/slab.ts';
import {
  ABSENT,
  H_ACCEPT,
  H_CONTENT_DISPOSITION,
  H_CONTENT_ENCODING,
  H_CONTENT_TYPE,
  ROW_INTS,
  ROW_NEXT,
  ROW_VALUE_AT,
  ROW_VALUE_END,
  T_BODY_AT,
  T_BODY_END,
  T_FIRST_ROW,
  T_ROWS,
} from '../../../sip/parser/span-table.ts';
import { isText } from '../../../sip/scanner.ts';
import { ascii } from '../../../sip/writer.ts';
import type { Exchange } from '../exchange.ts';
import { PHRASE } from '../phrases.ts';
import { REASON_CONTENT_ENCODING, REASON_CONTENT_TYPE } from '../reasons.ts';
import { refuse } from '../response.ts';
import { isOptional, isSessionType, isSkippableMultipart } from './body-parts.ts';

const ACCEPT = ascii('Accept: application/sdp\r\n');
const ACCEPT_ENCODING = ascii('Accept-Encoding: identity\r\n');
const SDP = ascii('application/sdp');
const ANY_APPLICATION = ascii('application/*');
const ANY_TYPE = ascii('*/*');
const IDENTITY = ascii('identity');

const GO_ON = 0;

/** §8.2.3: 415 for a body that may not be skipped and is not a session description without encoding. */
export function checkContent(exchange: Exchange): number {
  if (table[T_BODY_END] <= table[T_BODY_AT] || isOptionalBody()) return GO_ON;
  const encoding = table[T_FIRST_ROW + H_CONTENT_ENCODING];
  if (encoding >= 0 && !isText(slab, rowInt(encoding, ROW_VALUE_AT), rowInt(encoding, ROW_VALUE_END), IDENTITY))
    return refuse(exchange, 415, PHRASE[415], REASON_CONTENT_ENCODING, ACCEPT_ENCODING);
  const type = table[T_FIRST_ROW + H_CONTENT_TYPE];
  if (type >= 0 && !isSkippableType(rowInt(type, ROW_VALUE_AT), rowInt(type, ROW_VALUE_END)))
    return refuse(exchange, 415, PHRASE[415], REASON_CONTENT_TYPE, ACCEPT);
  return GO_ON;
}

function rowInt(row: number, field: number): number {
  return table[T_ROWS + row * ROW_INTS + field];
}

/** Whether any row with this id contains `text` (lower case), compared without case. */
function contains(id: number, text: Uint8Array): boolean {
  for (let row = table[T_FIRST_ROW + id]; row !== ABSENT; row = rowInt(row, ROW_NEXT)) {
    const last = rowInt(row, ROW_VALUE_END) - text.length;
    for (let at = rowInt(row, ROW_VALUE_AT); at <= last; at++)
      if (isText(slab, at, at + text.length, text)) return true;
  }
  return false;
}

function isOptionalBody(): boolean {
  const row = table[T_FIRST_ROW + H_CONTENT_DISPOSITION];
  return row >= 0 && isOptional(rowInt(row, ROW_VALUE_AT), rowInt(row, ROW_VALUE_END));
}

function isSkippableType(at: number, end: number): boolean {
  return isSessionType(at, end) || isSkippableMultipart(at, end, table[T_BODY_AT], table[T_BODY_END]);
}

/** §20.1: without Accept a session description is acceptable. */
export function acceptsSdp(): boolean {
  if (table[T_FIRST_ROW + H_ACCEPT] < 0) return true;
  return contains(H_ACCEPT, SDP) || contains(H_ACCEPT, ANY_APPLICATION) || contains(H_ACCEPT, ANY_TYPE);
}
