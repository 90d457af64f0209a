// AssemblyScript. The 200 to a plain refresh: the request's own rows (response.ts), the binding's Contact (contact-list.ts), and
// what the policy adds (registrar.ts).

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
  OPTION_GRUU,
  OPTION_OUTBOUND,
  OPTION_PATH,
  ROW_NEXT,
  ROW_VALUE_AT,
  ROW_VALUE_END,
  T_FIRST_ROW,
  T_TO,
  T_VIAS,
  VIA_END,
  VIA_HOST_AT,
  VIA_HOST_END,
  VIA_RECEIVED_AT,
  VIA_RECEIVED_END,
  VIA_RPORT_AT,
  VIA_RPORT_END,
} from '../../../sip/parser/span-table.ts';
import { DISPLAY_LENGTH, PARAMS_LENGTH, TEXTS, URI_LENGTH } from '../../binding/image-layout.ts';
import {
  ANSWER,
  ANSWERS_GRUUS,
  ANSWERS_PATH,
  HOME_TEXT,
  IMAGE,
  IN_FLAGS,
  IN_HOME_LENGTH,
  IN_IP,
  IN_IP_LENGTH,
  IN_POLICY,
  IN_PORT,
  IN_SECONDS,
  IN_TAG,
  IP_TEXT,
  IS_DIRECT,
  REFRESH_IN,
  TEXT_CALL_ID,
  TEXT_CONTACT,
  TEXT_CSEQ,
  TEXT_END,
  TEXT_EXPIRES,
  TEXT_FLOW,
  TEXT_FLOW_BEHIND,
  TEXT_FROM,
  TEXT_PATH,
  TEXT_RECEIVED,
  TEXT_RPORT,
  TEXT_STATUS,
  TEXT_SUPPORTED,
  TEXT_TAG,
  TEXT_TO,
  TEXT_VIA,
} from '../refresh-memory.ts';
import { writeGruus } from './gruu.ts';
import { regId } from './image.ts';
import { at, byte, copy, decimal, hex, longText, startAt, text } from './output.ts';
import { entry, rowField, supports, told } from './table.ts';

/** Writes it at ANSWER, over the request in the table and the image at IMAGE; returns its length. */
export function writeAnswer(): i32 {
  const ipEnd = IP_TEXT + ipLength();
  startAt(ANSWER);
  text(TEXT_STATUS);
  writeVias(ipEnd);
  writeRow(TEXT_FROM, H_FROM);
  writeTo();
  writeRow(TEXT_CALL_ID, H_CALL_ID);
  writeRow(TEXT_CSEQ, H_CSEQ);
  endLine();
  writeContact();
  if (supports(OPTION_PATH | OPTION_OUTBOUND)) writeExtensions();
  copy(HOME_TEXT, HOME_TEXT + told(IN_HOME_LENGTH));
  longText(TEXT_END);
  return at - ANSWER;
}

// @ts-ignore: decorator
@inline
function endLine(): void {
  store<u16>(at, 0x0a0d);
  startAt(at + 2);
}

/** The source's address is at IP_TEXT from now on. */
function ipLength(): i32 {
  const length = told(IN_IP_LENGTH);
  if (length > 0) return length;
  startAt(IP_TEXT);
  for (let i = 0; i < 4; i++) {
    if (i > 0) byte(0x2e);
    const octet = <i32>load<u8>(REFRESH_IN + (IN_IP << 2) + i);
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

/** Where the parameter without a value begins that ends at `end`. */
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
    if (isTop) writeTopRow(from, end, ipEnd);
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

function writeContact(): void {
  const display = IMAGE + TEXTS;
  const uri = display + load<u16>(IMAGE, DISPLAY_LENGTH);
  const uriEnd = uri + load<u16>(IMAGE, URI_LENGTH);
  text(TEXT_CONTACT);
  if (uri > display) {
    copy(display, uri);
    byte(0x20);
  }
  byte(0x3c);
  copy(uri, uriEnd);
  byte(0x3e);
  copy(uriEnd, uriEnd + load<u16>(IMAGE, PARAMS_LENGTH));
  if ((told(IN_POLICY) & ANSWERS_GRUUS) != 0 && supports(OPTION_GRUU)) writeGruus(uri, uriEnd);
  text(TEXT_EXPIRES);
  decimal(told(IN_SECONDS));
  endLine();
}

function writeExtensions(): void {
  text(TEXT_SUPPORTED);
  if ((told(IN_POLICY) & ANSWERS_PATH) != 0 && supports(OPTION_PATH)) {
    for (let row = entry(T_FIRST_ROW + H_PATH); row != ABSENT; row = rowField(row, ROW_NEXT)) {
      text(TEXT_PATH);
      copy(rowField(row, ROW_VALUE_AT), rowField(row, ROW_VALUE_END));
      endLine();
    }
  }
  if (supports(OPTION_OUTBOUND) && regId() > 0) longText((told(IN_FLAGS) & IS_DIRECT) != 0 ? TEXT_FLOW : TEXT_FLOW_BEHIND);
}
