// Values of the span table as aorta/parser gives them: strings, numbers and plain objects, copied out.

import type { SipAddress, SipContact, SipHeader, SipUri, SipVia } from './parsed-message.ts';
import { slab, table } from './sip/parser/slab.ts';
import * as T from './sip/parser/span-table.ts';

const SCHEMES = [null, 'sip', 'sips', 'tel'] as const;
const LF = 10;
const CR = 13;
export const decoder = new TextDecoder();

export function textAt(index: number): string | null {
  const at = table[index];
  return at < 0 ? null : decoder.decode(slab.subarray(at, table[index + 1]));
}

/** A number of the table: null where it is absent, NaN where it is malformed. */
export function numberAt(index: number): number | null {
  const value = table[index];
  return value === T.ABSENT ? null : value === T.MALFORMED ? Number.NaN : value;
}

export function uriAt(base: number): SipUri {
  return {
    scheme: SCHEMES[table[base + T.URI_SCHEME]],
    text: textAt(base + T.URI_AT) ?? '',
    user: textAt(base + T.URI_USER_AT),
    password: textAt(base + T.URI_PASSWORD_AT),
    host: textAt(base + T.URI_HOST_AT),
    port: numberAt(base + T.URI_PORT),
    params: textAt(base + T.URI_PARAMS_AT),
    headers: textAt(base + T.URI_HEADERS_AT),
  };
}

export function addressAt(base: number): SipAddress | null {
  const text = textAt(base + T.ADDRESS_AT);
  if (text === null) return null;
  return {
    text,
    display: textAt(base + T.ADDRESS_DISPLAY_AT),
    uri: uriAt(base),
    tag: textAt(base + T.ADDRESS_TAG_AT),
  };
}

export function viaAt(i: number): SipVia {
  const base = T.T_VIAS + i * T.VIA_INTS;
  const parameter = (index: number) => textAt(base + index)?.replace(/^;[ \t]*[^=]*=?[ \t]*/, '') ?? null;
  return {
    text: textAt(base + T.VIA_AT) ?? '',
    transport: textAt(base + T.VIA_TRANSPORT_AT) ?? '',
    host: textAt(base + T.VIA_HOST_AT) ?? '',
    port: numberAt(base + T.VIA_PORT),
    branch: textAt(base + T.VIA_BRANCH_AT),
    rport: parameter(T.VIA_RPORT_AT),
    received: parameter(T.VIA_RECEIVED_AT),
    maddr: textAt(base + T.VIA_MADDR_AT),
  };
}

export function contactAt(i: number): SipContact {
  const base = T.T_CONTACTS + i * T.CONTACT_INTS;
  const q = numberAt(base + T.CONTACT_Q);
  const params: Record<string, string | null> = {};
  for (let n = 0; n < table[base + T.CONTACT_PARAM_COUNT]; n++) {
    const row = T.T_PARAMS + (table[base + T.CONTACT_PARAM_FIRST] + n) * T.PARAM_INTS;
    const name = textAt(row + T.PARAM_NAME_AT) ?? '';
    Object.defineProperty(params, name, { value: textAt(row + T.PARAM_VALUE_AT), enumerable: true });
  }
  return {
    text: textAt(base + T.CONTACT_AT) ?? '',
    display: textAt(base + T.CONTACT_DISPLAY_AT),
    uri: uriAt(base),
    expires: numberAt(base + T.CONTACT_EXPIRES),
    q: q === null ? null : q / 1000,
    instance: textAt(base + T.CONTACT_INSTANCE_AT),
    regId: numberAt(base + T.CONTACT_REG_ID),
    params,
  };
}

export function headerAt(i: number): SipHeader {
  const base = T.T_ROWS + i * T.ROW_INTS;
  return { name: textAt(base + T.ROW_NAME_AT) ?? '', value: textAt(base + T.ROW_VALUE_AT) ?? '' };
}

/** The phrase of the status line in a message at these bytes of the slab. */
export function phraseAt(at: number, end: number): string {
  const bytes = slab.subarray(at, end);
  const start = bytes.findIndex((byte) => byte !== CR && byte !== LF);
  const line = decoder.decode(bytes.subarray(start, bytes.indexOf(LF, start)));
  return line.replace(/^\S+[ \t]+\S+/, '').trim();
}
