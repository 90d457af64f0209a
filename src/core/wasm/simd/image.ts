// AssemblyScript. What the image of the request's only Contact keeps (image-layout.ts, from KEPT on), as binding-writer.ts
// writes it.

import { entry, contact, instanceAt, instanceEnd, lower, rowField, told } from './table.ts';
import {
  ABSENT,
  CONTACT_DISPLAY_AT,
  CONTACT_DISPLAY_END,
  CONTACT_EXPIRES_AT,
  CONTACT_EXPIRES_END,
  CONTACT_PARAM_COUNT,
  CONTACT_PARAM_FIRST,
  CONTACT_PARAMS_AT,
  CONTACT_PARAMS_END,
  CONTACT_Q,
  CONTACT_REG_ID,
  H_PATH,
  H_USER_AGENT,
  PARAM_INTS,
  PARAM_NAME_AT,
  PARAM_NAME_END,
  PARAM_VALUE_END,
  ROW_NEXT,
  ROW_VALUE_AT,
  ROW_VALUE_END,
  T_CALL_ID_AT,
  T_CALL_ID_END,
  T_FIRST_ROW,
  T_PARAMS,
  URI_AT,
  URI_END,
} from '../../../sip/parser/span-table.ts';
import {
  CALL_ID_LENGTH,
  DISPLAY_LENGTH,
  FLAGS,
  IMAGE_BY_CONTACT,
  IMAGE_DIRECT,
  INSTANCE_LENGTH,
  INSTANCE_OFFSET,
  NO_Q,
  PARAMS_LENGTH,
  PATH_LENGTH,
  Q,
  REG_ID,
  SOURCE_FAMILY,
  SOURCE_FLOW,
  SOURCE_IP,
  SOURCE_PORT,
  TEXTS,
  URI_LENGTH,
  USER_AGENT_LENGTH,
} from '../../binding/image-layout.ts';
import { IMAGE, IN_FLAGS, IN_FLOW, IN_IP, IN_PORT, IN_SOURCE_KIND, IS_BY_CONTACT, IS_DIRECT, IS_FLOW, REFRESH_IN } from '../refresh-memory.ts';
import { at, byte, copy, startAt } from './output.ts';

/** As in binding-writer.ts. */
const USER_AGENT_BYTES_MAX: i32 = 128;

/** reg-id of the contact where it makes its binding a flow, else 0. */
export function regId(): i32 {
  const id = contact(CONTACT_REG_ID);
  return (told(IN_FLAGS) & IS_FLOW) != 0 && id > 0 && instanceAt() >= 0 ? id : 0;
}

/** Writes it at IMAGE; returns where the image ends. */
export function writeKept(): i32 {
  const flags = told(IN_FLAGS);
  const direct = (flags & IS_DIRECT) != 0 ? IMAGE_DIRECT : 0;
  store<u16>(IMAGE, direct | ((flags & IS_BY_CONTACT) != 0 ? IMAGE_BY_CONTACT : 0), FLAGS);
  store<i32>(IMAGE, regId(), REG_ID);
  const q = contact(CONTACT_Q);
  store<u16>(IMAGE, q >= 0 ? q : NO_Q, Q);
  store<i32>(IMAGE, told(IN_SOURCE_KIND), SOURCE_FAMILY);
  store<u16>(IMAGE, told(IN_PORT), SOURCE_PORT);
  store<i32>(IMAGE, told(IN_FLOW), SOURCE_FLOW);
  v128.store(IMAGE, v128.load(REFRESH_IN + (IN_IP << 2)), SOURCE_IP);
  startAt(IMAGE + TEXTS);
  let mark = at;
  copy(contact(CONTACT_DISPLAY_AT), contact(CONTACT_DISPLAY_END));
  mark = endText(DISPLAY_LENGTH, mark);
  copy(contact(URI_AT), contact(URI_END));
  mark = endText(URI_LENGTH, mark);
  writeParams();
  let end = at;
  while (end > mark && (load<u8>(end - 1) == 0x3b || load<u8>(end - 1) <= 0x20)) end--; // empty parameters
  startAt(end);
  mark = endText(PARAMS_LENGTH, mark);
  copy(entry(T_CALL_ID_AT), entry(T_CALL_ID_END));
  mark = endText(CALL_ID_LENGTH, mark);
  writeUserAgent();
  mark = endText(USER_AGENT_LENGTH, mark);
  writePath();
  return endText(PATH_LENGTH, mark);
}

function endText(lengthAt: i32, mark: i32): i32 {
  store<u16>(IMAGE + lengthAt, at - mark);
  return at;
}

function writeParams(): void {
  const instance = instanceAt();
  const start = at;
  let offset = 0;
  let from = contact(CONTACT_PARAMS_AT);
  const first = T_PARAMS + contact(CONTACT_PARAM_FIRST) * PARAM_INTS;
  const last = first + contact(CONTACT_PARAM_COUNT) * PARAM_INTS;
  for (let row = first; row < last; row += PARAM_INTS) {
    if (!isLeftOut(row)) continue;
    let upTo = entry(row + PARAM_NAME_AT) - 1;
    while (load<u8>(upTo) != 0x3b) upTo--;
    if (instance >= from && instance < upTo) offset = at - start + instance - from;
    copy(from, upTo);
    const valueEnd = entry(row + PARAM_VALUE_END);
    from = valueEnd >= 0 ? valueEnd : entry(row + PARAM_NAME_END);
  }
  if (instance >= 0 && instance >= from) offset = at - start + instance - from;
  copy(from, contact(CONTACT_PARAMS_END));
  store<u16>(IMAGE, offset, INSTANCE_OFFSET);
  store<u16>(IMAGE, instance < 0 ? 0 : instanceEnd() - instance, INSTANCE_LENGTH);
}

/** expires, pub-gruu and temp-gruu. */
function isLeftOut(row: i32): bool {
  const name = entry(row + PARAM_NAME_AT);
  const end = entry(row + PARAM_NAME_END);
  const length = end - name;
  if (length == 7) {
    const expires = contact(CONTACT_EXPIRES_AT);
    return expires >= 0 && expires < name && end <= contact(CONTACT_EXPIRES_END);
  }
  if (length == 8) return lower(load<u8>(name)) == 0x70 && lower(load<u8>(name, 1)) == 0x75 && isGruu(name + 2, 0x62); // pub-gruu
  if (length != 9 || lower(load<u8>(name)) != 0x74) return false; // temp-gruu
  return lower(load<u8>(name, 1)) == 0x65 && lower(load<u8>(name, 2)) == 0x6d && isGruu(name + 3, 0x70);
}

/** The letter and "-gruu". */
function isGruu(p: i32, letter: i32): bool {
  return (
    lower(load<u8>(p)) == letter &&
    load<u8>(p, 1) == 0x2d &&
    lower(load<u8>(p, 2)) == 0x67 &&
    lower(load<u8>(p, 3)) == 0x72 &&
    lower(load<u8>(p, 4)) == 0x75 &&
    lower(load<u8>(p, 5)) == 0x75
  );
}

function writeUserAgent(): void {
  const row = entry(T_FIRST_ROW + H_USER_AGENT);
  if (row < 0) return;
  const from = rowField(row, ROW_VALUE_AT);
  const end = rowField(row, ROW_VALUE_END);
  copy(from, end - from > USER_AGENT_BYTES_MAX ? from + USER_AGENT_BYTES_MAX : end);
}

function writePath(): void {
  let row = entry(T_FIRST_ROW + H_PATH);
  for (let isFirst = true; row != ABSENT; isFirst = false) {
    if (!isFirst) byte(0x2c);
    copy(rowField(row, ROW_VALUE_AT), rowField(row, ROW_VALUE_END));
    row = rowField(row, ROW_NEXT);
  }
}
