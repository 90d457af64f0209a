// Method names (case-sensitive, RFC 3261 §7.1) to METHOD_*.

import {
  METHOD_ACK,
  METHOD_BYE,
  METHOD_CANCEL,
  METHOD_INFO,
  METHOD_INVITE,
  METHOD_MESSAGE,
  METHOD_NOTIFY,
  METHOD_OPTIONS,
  METHOD_PRACK,
  METHOD_PUBLISH,
  METHOD_REFER,
  METHOD_REGISTER,
  METHOD_SUBSCRIBE,
  METHOD_UNKNOWN,
  METHOD_UPDATE,
} from '../../src/sip/parser/span-table.ts';
import { ascii } from '../../src/sip/writer.ts';
import { sameBytes } from './scanner.ts';

const REGISTER = ascii('REGISTER');
const OPTIONS = ascii('OPTIONS');
const INVITE = ascii('INVITE');
const ACK = ascii('ACK');
const CANCEL = ascii('CANCEL');
const BYE = ascii('BYE');
const SUBSCRIBE = ascii('SUBSCRIBE');
const NOTIFY = ascii('NOTIFY');
const MESSAGE = ascii('MESSAGE');
const INFO = ascii('INFO');
const UPDATE = ascii('UPDATE');
const PRACK = ascii('PRACK');
const REFER = ascii('REFER');
const PUBLISH = ascii('PUBLISH');

/** The METHOD_* of bytes[at, end); METHOD_UNKNOWN for any other token. */
export function methodId(bytes: Uint8Array, at: number, end: number): number {
  switch (end - at) {
    case 3:
      return is(bytes, at, end, ACK) ? METHOD_ACK : is(bytes, at, end, BYE) ? METHOD_BYE : METHOD_UNKNOWN;
    case 4:
      return is(bytes, at, end, INFO) ? METHOD_INFO : METHOD_UNKNOWN;
    case 5:
      return is(bytes, at, end, PRACK) ? METHOD_PRACK : is(bytes, at, end, REFER) ? METHOD_REFER : METHOD_UNKNOWN;
    case 6:
      if (is(bytes, at, end, INVITE)) return METHOD_INVITE;
      if (is(bytes, at, end, CANCEL)) return METHOD_CANCEL;
      if (is(bytes, at, end, NOTIFY)) return METHOD_NOTIFY;
      return is(bytes, at, end, UPDATE) ? METHOD_UPDATE : METHOD_UNKNOWN;
    case 7:
      if (is(bytes, at, end, OPTIONS)) return METHOD_OPTIONS;
      if (is(bytes, at, end, MESSAGE)) return METHOD_MESSAGE;
      return is(bytes, at, end, PUBLISH) ? METHOD_PUBLISH : METHOD_UNKNOWN;
    case 8:
      return is(bytes, at, end, REGISTER) ? METHOD_REGISTER : METHOD_UNKNOWN;
    case 9:
      return is(bytes, at, end, SUBSCRIBE) ? METHOD_SUBSCRIBE : METHOD_UNKNOWN;
    default:
      return METHOD_UNKNOWN;
  }
}

function is(bytes: Uint8Array, at: number, end: number, name: Uint8Array): boolean {
  return sameBytes(bytes, at, end, name, 0, name.length);
}
