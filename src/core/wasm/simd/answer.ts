// AssemblyScript. Answers: the part that all copy from the request (RFC 3261 §8.2.6), and the rows of a 200 to a REGISTER. The callers
// decide about the content: response.ts, contact-list.ts, refresh.ts.

import {
  ABSENT,
  ADDRESS_TAG_AT,
  ADDRESS_TAG_END,
  H_CALL_ID,
  H_CSEQ,
  H_FROM,
  H_PATH,
  H_TO,
  H_VIA,
  ROW_NEXT,
  ROW_VALUE_AT,
  ROW_VALUE_END,
  T_FIRST_ROW,
  T_TO,
  T_VIA_COUNT,
  T_VIAS,
  VIA_END,
  VIA_HOST_AT,
  VIA_HOST_END,
  VIA_RECEIVED_AT,
  VIA_RECEIVED_END,
  VIA_RPORT_AT,
  VIA_RPORT_END,
} from '../../../sip/parser/span-table.ts';
import {
  CSEQ,
  DISPLAY_LENGTH,
  INSTANCE_LENGTH,
  INSTANCE_OFFSET,
  PARAMS_LENGTH,
  REG_ID,
  TEXTS,
  URI_LENGTH,
} from '../../binding/image-layout.ts';
import {
  ANSWER,
  IMAGE,
  IN_EPOCH,
  IN_IP,
  IN_IP_LENGTH,
  IN_PORT,
  IN_SECONDS,
  IN_TAG,
  IP_TEXT,
  SHOWS_CONTACT,
  SHOWS_END,
  SHOWS_FLOW,
  SHOWS_GRUUS,
  SHOWS_OUTBOUND,
  SHOWS_PATH,
  SHOWS_SUPPORTED,
  TEXT_CALL_ID,
  TEXT_CONTACT,
  TEXT_CSEQ,
  TEXT_END,
  TEXT_EXPIRES,
  TEXT_FLOW_TIMER,
  TEXT_FROM,
  TEXT_PATH,
  TEXT_RECEIVED,
  TEXT_REQUIRE_OUTBOUND,
  TEXT_RPORT,
  TEXT_STATUS,
  TEXT_SUPPORTED_OUTBOUND,
  TEXT_SUPPORTED_PATH,
  TEXT_TAG,
  TEXT_TO,
  TEXT_VIA,
  TOLD,
} from '../module-memory.ts';
import { writeGruus } from './gruu.ts';
import { at, byte, copy, decimal, endLine, hex, longText, startAt, text } from './output.ts';
import { entry, rowField, told } from './table.ts';

/** Writes the part that every answer copies from the request, and its To tag, behind a status line that ends at `to`; returns its end. */
export function frame(to: i32): i32 {
  const ipEnd = IP_TEXT + ipLength();
  startAt(to);
  writeFrame(ipEnd);
  return at;
}

function writeFrame(ipEnd: i32): void {
  writeVias(ipEnd);
  writeRow(TEXT_FROM, H_FROM);
  writeTo();
  writeRow(TEXT_CALL_ID, H_CALL_ID);
  writeRow(TEXT_CSEQ, H_CSEQ);
  endLine();
}

/**
 * Writes the Contact row of a binding at `to`; returns its end.
 * @param display its texts: the display name, behind it the URI, behind it the parameters
 * @param instanceOffset of its instance ID, in the parameters; of length 0: it gets no GRUUs
 * @param epoch,cseq,regId of the binding whose temporary GRUU it gets; epoch 0: it gets none
 */
export function contact(
  to: i32,
  display: i32,
  displayLength: i32,
  uriLength: i32,
  paramsLength: i32,
  seconds: i32,
  instanceOffset: i32,
  instanceLength: i32,
  epoch: i32,
  cseq: i32,
  regId: i32,
): i32 {
  startAt(to);
  const uri = display + displayLength;
  const uriEnd = uri + uriLength;
  text(TEXT_CONTACT);
  if (uri > display) {
    copy(display, uri);
    byte(0x20);
  }
  byte(0x3c);
  copy(uri, uriEnd);
  byte(0x3e);
  copy(uriEnd, uriEnd + paramsLength);
  const instance = uriEnd + instanceOffset;
  if (instanceLength > 0) writeGruus(uri, instance, instance + instanceLength, epoch, cseq, regId);
  text(TEXT_EXPIRES);
  decimal(seconds);
  endLine();
  return at;
}

/** Writes the rows of extensions at `to`; returns their end. @param shows SHOWS_* @param flowTimer seconds; 0: no Flow-Timer */
export function extensions(to: i32, shows: i32, flowTimer: i32): i32 {
  startAt(to);
  if ((shows & SHOWS_SUPPORTED) != 0) text((shows & SHOWS_OUTBOUND) != 0 ? TEXT_SUPPORTED_OUTBOUND : TEXT_SUPPORTED_PATH);
  if ((shows & SHOWS_PATH) != 0) {
    for (let row = entry(T_FIRST_ROW + H_PATH); row != ABSENT; row = rowField(row, ROW_NEXT)) {
      text(TEXT_PATH);
      copy(rowField(row, ROW_VALUE_AT), rowField(row, ROW_VALUE_END));
      endLine();
    }
  }
  if ((shows & SHOWS_FLOW) == 0) return at;
  text(TEXT_REQUIRE_OUTBOUND);
  if (flowTimer == 0) return at;
  text(TEXT_FLOW_TIMER);
  decimal(flowTimer);
  endLine();
  return at;
}

/** Writes Date, Content-Length and the empty line at `to`; returns their end. */
export function end(to: i32): i32 {
  startAt(to);
  longText(TEXT_END);
  return at;
}

/** Writes the 200 to a refresh at ANSWER, from the image at IMAGE; returns its end. @param shows SHOWS_* */
export function refreshed(shows: i32, flowTimer: i32): i32 {
  const ipEnd = IP_TEXT + ipLength();
  startAt(ANSWER);
  text(TEXT_STATUS);
  writeFrame(ipEnd);
  if ((shows & SHOWS_CONTACT) != 0)
    contact(
      at,
      IMAGE + TEXTS,
      load<u16>(IMAGE, DISPLAY_LENGTH),
      load<u16>(IMAGE, URI_LENGTH),
      load<u16>(IMAGE, PARAMS_LENGTH),
      told(IN_SECONDS),
      load<u16>(IMAGE, INSTANCE_OFFSET),
      (shows & SHOWS_GRUUS) != 0 ? load<u16>(IMAGE, INSTANCE_LENGTH) : 0,
      told(IN_EPOCH),
      load<i32>(IMAGE, CSEQ),
      load<i32>(IMAGE, REG_ID),
    );
  extensions(at, shows, flowTimer);
  return (shows & SHOWS_END) != 0 ? end(at) : at;
}

/** Makes sure that the source's address is at IP_TEXT; returns its length. */
function ipLength(): i32 {
  const length = told(IN_IP_LENGTH);
  if (length > 0) return length;
  startAt(IP_TEXT);
  for (let i = 0; i < 4; i++) {
    if (i > 0) byte(0x2e);
    const octet = <i32>load<u8>(TOLD + (IN_IP << 2) + i);
    if (octet >= 100) byte(0x30 + octet / 100);
    if (octet >= 10) byte(0x30 + ((octet / 10) % 10));
    byte(0x30 + (octet % 10));
  }
  return at - IP_TEXT;
}

function writeRow(name: i32, id: i32): void {
  const row = entry(T_FIRST_ROW + id);
  if (row < 0) return;
  text(name);
  copy(rowField(row, ROW_VALUE_AT), rowField(row, ROW_VALUE_END));
}

/** The end of [from, end) without empty parameters. */
function lastParamEnd(from: i32, end: i32): i32 {
  let p = end;
  while (p > from) {
    const last = load<u8>(p - 1);
    if (last != 0x3b && last != 0x20 && last != 0x09) break;
    p--;
  }
  return p;
}

/** Start of the parameter without a value that ends at `end`. */
function paramBefore(end: i32): i32 {
  let p = end - 1;
  while (load<u8>(p) != 0x3b) p--;
  return p;
}

function writeTo(): void {
  const row = entry(T_FIRST_ROW + H_TO);
  if (row < 0) return;
  if (entry(T_TO + ADDRESS_TAG_AT) >= 0) return writeRow(TEXT_TO, H_TO);
  let from = rowField(row, ROW_VALUE_AT);
  const emptyTagEnd = entry(T_TO + ADDRESS_TAG_END);
  text(TEXT_TO);
  if (emptyTagEnd >= 0) {
    copy(from, paramBefore(emptyTagEnd));
    from = emptyTagEnd;
  }
  copy(from, lastParamEnd(from, rowField(row, ROW_VALUE_END)));
  text(TEXT_TAG);
  hex(told(IN_TAG), told(IN_TAG + 1));
}

function writeVias(ipEnd: i32): void {
  let row = entry(T_FIRST_ROW + H_VIA);
  for (let isTop = true; row != ABSENT; isTop = false) {
    text(TEXT_VIA);
    const from = rowField(row, ROW_VALUE_AT);
    const end = rowField(row, ROW_VALUE_END);
    if (isTop && entry(T_VIA_COUNT) > 0) writeTopRow(from, end, ipEnd);
    else copy(from, end);
    row = rowField(row, ROW_NEXT);
  }
}

function writeTopRow(rowAt: i32, rowEnd: i32, ipEnd: i32): void {
  const rport = entry(T_VIAS + VIA_RPORT_AT);
  const received = entry(T_VIAS + VIA_RECEIVED_AT);
  const viaEnd = entry(T_VIAS + VIA_END);
  let from = rowAt;
  if (received >= 0 && (rport < 0 || received < rport)) {
    copy(from, received);
    from = entry(T_VIAS + VIA_RECEIVED_END);
  }
  if (rport >= 0) {
    copy(from, rport);
    from = entry(T_VIAS + VIA_RPORT_END);
    if (told(IN_PORT) == 0) copy(rport, from);
    else {
      text(TEXT_RPORT);
      decimal(told(IN_PORT));
    }
  }
  if (received >= 0 && rport >= 0 && received > rport) {
    copy(from, received);
    from = entry(T_VIAS + VIA_RECEIVED_END);
  }
  copy(from, lastParamEnd(from, viaEnd));
  if (rport >= 0 || !sentByIsSource(ipEnd)) {
    text(TEXT_RECEIVED);
    copy(IP_TEXT, ipEnd);
  }
  copy(viaEnd, rowEnd);
}

function sentByIsSource(ipEnd: i32): bool {
  let from = entry(T_VIAS + VIA_HOST_AT);
  let end = entry(T_VIAS + VIA_HOST_END);
  if (load<u8>(from) == 0x5b) {
    from++;
    end--;
  }
  return end - from == ipEnd - IP_TEXT && memory.compare(from, IP_TEXT, end - from) == 0;
}
