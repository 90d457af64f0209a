// A message through the parser, as an object that reads like the message. Every span is checked to lie inside it.

import { parse } from '../../src/sip/parser/parser.ts';
import { slab, slotStart, table } from '../../src/sip/parser/slab.ts';
import * as T from '../../src/sip/parser/span-table.ts';

export interface ParsedUri {
  readonly scheme: number;
  readonly text: string;
  readonly user: string | null;
  readonly password: string | null;
  readonly host: string | null;
  readonly port: number;
  readonly params: string | null;
  readonly headers: string | null;
}

export interface ParsedAddress {
  readonly text: string;
  readonly display: string | null;
  readonly uri: ParsedUri;
  readonly tag: string | null;
}

export interface ParsedContact {
  readonly text: string;
  readonly display: string | null;
  readonly uri: ParsedUri;
  readonly paramsText: string | null;
  readonly expires: number;
  readonly expiresText: string | null;
  readonly q: number;
  readonly instance: string | null;
  readonly regId: number;
  readonly params: readonly (readonly [string, string | null])[];
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();
let from = 0;
let to = 0;

function span(at: number, end: number): string | null {
  if (at === T.ABSENT && end === T.ABSENT) return null;
  if (at < from || end > to || at > end) throw new Error(`span ${at}..${end} outside the message ${from}..${to}`);
  return decoder.decode(slab.subarray(at, end));
}

/** The span whose two offsets stand at table[index] and table[index + 1]. */
function spanAt(index: number): string | null {
  return span(table[index], table[index + 1]);
}

function uriAt(base: number): ParsedUri {
  return {
    scheme: table[base + T.URI_SCHEME],
    text: spanAt(base + T.URI_AT) ?? '',
    user: spanAt(base + T.URI_USER_AT),
    password: spanAt(base + T.URI_PASSWORD_AT),
    host: spanAt(base + T.URI_HOST_AT),
    port: table[base + T.URI_PORT],
    params: spanAt(base + T.URI_PARAMS_AT),
    headers: spanAt(base + T.URI_HEADERS_AT),
  };
}

function addressAt(base: number): ParsedAddress | null {
  const text = spanAt(base + T.ADDRESS_AT);
  if (text === null) return null;
  return {
    text,
    display: spanAt(base + T.ADDRESS_DISPLAY_AT),
    uri: uriAt(base),
    tag: table[base + T.ADDRESS_TAG_AT] === T.ABSENT ? null : spanAt(base + T.ADDRESS_TAG_AT),
  };
}

function contactAt(base: number): ParsedContact {
  const first = table[base + T.CONTACT_PARAM_FIRST];
  const params = Array.from({ length: table[base + T.CONTACT_PARAM_COUNT] }, (_, i) => {
    const row = T.T_PARAMS + (first + i) * T.PARAM_INTS;
    return [spanAt(row + T.PARAM_NAME_AT) ?? '', spanAt(row + T.PARAM_VALUE_AT)] as const;
  });
  return {
    text: spanAt(base + T.CONTACT_AT) ?? '',
    display: spanAt(base + T.CONTACT_DISPLAY_AT),
    uri: uriAt(base),
    paramsText: spanAt(base + T.CONTACT_PARAMS_AT),
    expires: table[base + T.CONTACT_EXPIRES],
    expiresText: spanAt(base + T.CONTACT_EXPIRES_AT),
    q: table[base + T.CONTACT_Q],
    instance: spanAt(base + T.CONTACT_INSTANCE_AT),
    regId: table[base + T.CONTACT_REG_ID],
    params,
  };
}

function viaAt(base: number) {
  return {
    text: spanAt(base + T.VIA_AT),
    transport: spanAt(base + T.VIA_TRANSPORT_AT),
    host: spanAt(base + T.VIA_HOST_AT),
    port: table[base + T.VIA_PORT],
    branch: spanAt(base + T.VIA_BRANCH_AT),
    rport: spanAt(base + T.VIA_RPORT_AT),
    received: spanAt(base + T.VIA_RECEIVED_AT),
    maddr: spanAt(base + T.VIA_MADDR_AT),
    keep: spanAt(base + T.VIA_KEEP_AT),
  };
}

function rowAt(row: number) {
  const base = T.T_ROWS + row * T.ROW_INTS;
  return {
    id: table[base + T.ROW_ID],
    name: spanAt(base + T.ROW_NAME_AT),
    value: spanAt(base + T.ROW_VALUE_AT),
  };
}

/** The values of the rows with an id, by their chain. */
function chain(id: number): (string | null)[] {
  const values: (string | null)[] = [];
  for (let row = table[T.T_FIRST_ROW + id]; row !== T.ABSENT; ) {
    values.push(spanAt(T.T_ROWS + row * T.ROW_INTS + T.ROW_VALUE_AT));
    row = table[T.T_ROWS + row * T.ROW_INTS + T.ROW_NEXT];
  }
  return values;
}

function list<R>(count: number, base: number, ints: number, read: (base: number) => R): R[] {
  return Array.from({ length: count }, (_, i) => read(base + i * ints));
}

/** What the table says about the message last parsed. */
function describeTable(error: number) {
  return {
    error,
    errorAt: table[T.T_ERROR_AT] - from,
    errorHeader: table[T.T_ERROR_HEADER],
    kind: table[T.T_KIND],
    status: table[T.T_STATUS],
    methodId: table[T.T_METHOD],
    method: spanAt(T.T_METHOD_AT),
    requestUri: table[T.T_REQUEST_URI + T.URI_AT] === T.ABSENT ? null : uriAt(T.T_REQUEST_URI),
    to: addressAt(T.T_TO),
    from: addressAt(T.T_FROM),
    callId: spanAt(T.T_CALL_ID_AT),
    cseq: table[T.T_CSEQ_METHOD_AT] === T.ABSENT ? null : table[T.T_CSEQ] >>> 0,
    cseqMethod: spanAt(T.T_CSEQ_METHOD_AT),
    maxForwards: table[T.T_MAX_FORWARDS],
    expires: table[T.T_EXPIRES],
    contentLength: table[T.T_CONTENT_LENGTH],
    body: spanAt(T.T_BODY_AT),
    require: table[T.T_REQUIRE],
    requireUnknown: table[T.T_REQUIRE_UNKNOWN],
    supported: table[T.T_SUPPORTED],
    stars: table[T.T_CONTACT_STAR],
    vias: list(table[T.T_VIA_COUNT], T.T_VIAS, T.VIA_INTS, viaAt),
    contacts: list(table[T.T_CONTACT_COUNT], T.T_CONTACTS, T.CONTACT_INTS, contactAt),
    rows: Array.from({ length: table[T.T_HEADER_COUNT] }, (_, row) => rowAt(row)),
    chains: Array.from({ length: T.HEADER_IDS }, (_, id) => chain(id)),
  };
}

export type Parsed = ReturnType<typeof describeTable>;

/** Parses a message put at an offset of the slab. */
export function parsed(message: string | Uint8Array, at = slotStart(1)): Parsed {
  const bytes = typeof message === 'string' ? encoder.encode(message) : message;
  slab.set(bytes, at);
  from = at;
  to = at + bytes.length;
  return describeTable(parse(from, to));
}

const MARGIN = 256;

/** The same with `guard` on both sides of the message; fails where one of those bytes was written to. */
export function parsedAmong(guard: number, message: Uint8Array): Parsed {
  const at = slotStart(2) + MARGIN;
  const end = at + message.length;
  slab.fill(guard, at - MARGIN, end + MARGIN);
  const result = parsed(message, at);
  for (let i = 0; i < MARGIN; i++) {
    if (slab[at - MARGIN + i] !== guard) throw new Error(`wrote before the message, at ${i - MARGIN}`);
    if (slab[end + i] !== guard) throw new Error(`wrote behind the message, at ${message.length + i}`);
  }
  return result;
}

export interface Parts {
  readonly line?: string;
  readonly via?: string | null;
  readonly from?: string | null;
  readonly to?: string | null;
  readonly callId?: string | null;
  readonly cseq?: string | null;
  readonly extra?: readonly string[];
  readonly body?: string;
}

/** A REGISTER, good but for the given parts; null leaves a header out. */
export function message(parts: Parts = {}): string {
  const header = (name: string, value: string | null | undefined, usual: string) =>
    value === null ? [] : [`${name}: ${value ?? usual}`];
  return [
    parts.line ?? 'REGISTER sip:example.com SIP/2.0',
    ...header('Via', parts.via, 'SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1'),
    ...header('From', parts.from, '<sip:alice@example.com>;tag=1'),
    ...header('To', parts.to, '<sip:alice@example.com>'),
    ...header('Call-ID', parts.callId, 'a@b'),
    ...header('CSeq', parts.cseq, '1 REGISTER'),
    ...(parts.extra ?? []),
    '',
    parts.body ?? '',
  ].join('\r\n');
}

export function parsedMessage(parts: Parts): Parsed {
  return parsed(message(parts));
}
