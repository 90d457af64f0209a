// AssemblyScript. The image of a binding (image-layout.ts), from a Contact of the request in the table.

import { entry, lower, rowField, told } from './table.ts';
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
  T_CSEQ,
  T_FIRST_ROW,
  T_PARAMS,
  URI_AT,
  URI_END,
} from '../../../sip/parser/span-table.ts';
import {
  CALL_ID_LENGTH,
  CSEQ,
  DISPLAY_LENGTH,
  EXPIRES_AT,
  FLAGS,
  GRUU_EPOCH,
  INSTANCE_LENGTH,
  INSTANCE_OFFSET,
  LENGTH,
  NO_Q,
  NONCE_COUNT,
  NONCE_ID,
  PARAMS_LENGTH,
  PATH_LENGTH,
  Q,
  REFRESHED_AT,
  REG_ID,
  REGISTERED_AT,
  SOURCE_FAMILY,
  SOURCE_FLOW,
  SOURCE_IP,
  SOURCE_PORT,
  TEXTS,
  URI_LENGTH,
  USER_AGENT_LENGTH,
} from '../../binding/image-layout.ts';
import {
  IMAGE,
  IN_DISPLAY_LENGTH,
  IN_FLOW,
  IN_INSTANCE_OFFSET,
  IN_IP,
  IN_PARAMS_LENGTH,
  IN_PORT,
  IN_SOURCE_KIND,
  IN_URI_LENGTH,
  SPELLED,
  TOLD,
} from '../module-memory.ts';
import { at, byte, copy, startAt } from './output.ts';

/** As in test/oracle/binding-writer.ts. */
const USER_AGENT_BYTES_MAX: i32 = 128;

/** Record of the current contact in the table, and the bounds of its instance ID; both are -1 where it has none. */
let record: i32 = 0;
let instance: i32 = -1;
let instanceEnd: i32 = -1;

// @ts-ignore: decorator
@inline
function contact(field: i32): i32 {
  return entry(record + field);
}

/**
 * Writes the image of a contact of the request in the table at IMAGE; returns its length.
 * @param contactAt its record in the table @param flags IMAGE_* @param regId 0: it is no flow
 * @param idAt the instance ID, without quotes and brackets: [idAt, idEnd), empty where there is none
 * @param expiresAt epoch ms, as refreshedAt and registeredAt
 * @param isSpelled the contact's texts are read from SPELLED, not from the request
 */
export function image(
  contactAt: i32,
  flags: i32,
  regId: i32,
  idAt: i32,
  idEnd: i32,
  expiresAt: f64,
  refreshedAt: f64,
  registeredAt: f64,
  nonceId: i32,
  nonceCount: i32,
  isSpelled: i32,
): i32 {
  record = contactAt;
  instance = idEnd > idAt ? idAt : -1;
  instanceEnd = idEnd;
  store<u64>(IMAGE, <u64>expiresAt, EXPIRES_AT);
  store<u64>(IMAGE, <u64>refreshedAt, REFRESHED_AT);
  store<u64>(IMAGE, <u64>registeredAt, REGISTERED_AT);
  store<i32>(IMAGE, entry(T_CSEQ), CSEQ);
  store<i32>(IMAGE, 0, GRUU_EPOCH);
  store<i32>(IMAGE, nonceId, NONCE_ID);
  store<i32>(IMAGE, nonceCount, NONCE_COUNT);
  store<u16>(IMAGE, flags, FLAGS);
  store<i32>(IMAGE, regId, REG_ID);
  const q = contact(CONTACT_Q);
  store<u16>(IMAGE, q >= 0 ? q : NO_Q, Q);
  store<i32>(IMAGE, told(IN_SOURCE_KIND), SOURCE_FAMILY);
  store<u16>(IMAGE, told(IN_PORT), SOURCE_PORT);
  store<i32>(IMAGE, told(IN_FLOW), SOURCE_FLOW);
  v128.store(IMAGE, v128.load(TOLD + (IN_IP << 2)), SOURCE_IP);
  store<u16>(IMAGE, instance < 0 ? 0 : idEnd - idAt, INSTANCE_LENGTH);
  startAt(IMAGE + TEXTS);
  let mark = isSpelled != 0 ? copySpelled() : copyContact();
  copy(entry(T_CALL_ID_AT), entry(T_CALL_ID_END));
  mark = endText(CALL_ID_LENGTH, mark);
  writeUserAgent();
  mark = endText(USER_AGENT_LENGTH, mark);
  writePath();
  const length = endText(PATH_LENGTH, mark) - IMAGE;
  store<u16>(IMAGE, length, LENGTH);
  return length;
}

/** Copies the contact's texts as they were sent; returns their end. */
function copyContact(): i32 {
  copy(contact(CONTACT_DISPLAY_AT), contact(CONTACT_DISPLAY_END));
  let mark = endText(DISPLAY_LENGTH, IMAGE + TEXTS);
  copy(contact(URI_AT), contact(URI_END));
  mark = endText(URI_LENGTH, mark);
  writeParams();
  return endParams(mark);
}

/** Copies the contact's texts in another spelling; returns their end. */
function copySpelled(): i32 {
  const uri = SPELLED + told(IN_DISPLAY_LENGTH);
  const params = uri + told(IN_URI_LENGTH);
  copy(SPELLED, uri);
  let mark = endText(DISPLAY_LENGTH, IMAGE + TEXTS);
  copy(uri, params);
  mark = endText(URI_LENGTH, mark);
  copy(params, params + told(IN_PARAMS_LENGTH));
  store<u16>(IMAGE, told(IN_INSTANCE_OFFSET), INSTANCE_OFFSET);
  return endParams(mark);
}

/** Removes empty parameters at the end. */
function endParams(mark: i32): i32 {
  let end = at;
  while (end > mark && (load<u8>(end - 1) == 0x3b || load<u8>(end - 1) <= 0x20)) end--;
  startAt(end);
  return endText(PARAMS_LENGTH, mark);
}

function endText(lengthAt: i32, mark: i32): i32 {
  store<u16>(IMAGE + lengthAt, at - mark);
  return at;
}

function writeParams(): void {
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
}

/** Whether the parameter is not kept: expires, pub-gruu and temp-gruu. */
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

/** Whether the bytes at `p` are the letter and "-gruu". */
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
