// The sub-path export aorta/parser: the parser for programs that want no server. One message at a time over the span table;
// toObject() copies a message. No other part of Aorta is loaded.

import type {
  ParseOptions,
  PlainMessage,
  SipAddress,
  SipContact,
  SipError,
  SipHeader,
  SipUri,
  SipVia,
} from './parsed-message.ts';
import { addressAt, contactAt, decoder, headerAt, numberAt, phraseAt, textAt, uriAt, viaAt } from './parsed-values.ts';
import { PARSE_ERROR_TEXT } from './sip/parser/parse-error-text.ts';
import { parse as parseSlab } from './sip/parser/parser.ts';
import { isBytes, MESSAGE_BYTES_MAX, slab, slotStart, table } from './sip/parser/slab.ts';
import * as T from './sip/parser/span-table.ts';
import { findLeniency, LENIENCIES, type Leniency, needLeniencies } from './sip/parser/strictness.ts';

export type * from './parsed-message.ts';
export type { Leniency } from './sip/parser/strictness.ts';

const HEADER_OF: readonly (string | null)[] = headerNames();
const AT = slotStart(0);

/** By H_*: the names of span-table.ts, call-id for H_CALL_ID. */
function headerNames(): (string | null)[] {
  const names: (string | null)[] = [];
  for (const [key, id] of Object.entries(T))
    if (key.startsWith('H_')) names[id] = id === T.H_OTHER ? null : key.slice(2).toLowerCase().replaceAll('_', '-');
  return names;
}

function list<R>(count: number, read: (i: number) => R): R[] {
  return Array.from({ length: count }, (_, i) => read(i));
}

/**
 * The message parsed last. There is one of these per thread, and the next parse() overwrites it: values needed for longer must be
 * copied (toObject, or single strings). Accessors for numbers allocate nothing; strings and objects are made on access.
 */
export class SipMessage {
  /** E_* of the first fault; 0 for a well-formed message. */
  code = 0;
  private errorAt = 0;
  private errorHeader = 0;
  private length = 0;

  /** @internal */
  parse(length: number, off: readonly Leniency[]): void {
    this.length = length;
    this.code = parseSlab(AT, AT + length);
    this.errorAt = table[T.T_ERROR_AT];
    this.errorHeader = table[T.T_ERROR_HEADER];
    const found = off.length === 0 ? null : findLeniency(off);
    if (found === null) return;
    this.code = found.code;
    this.errorAt = found.at;
    this.errorHeader = found.header;
  }

  get ok(): boolean {
    return this.code === 0;
  }

  get error(): SipError | null {
    if (this.code === 0) return null;
    return {
      code: this.code,
      reason: PARSE_ERROR_TEXT[this.code],
      offset: this.errorAt - AT,
      header: HEADER_OF[this.errorHeader],
    };
  }

  get kind(): 'request' | 'response' {
    return table[T.T_KIND] === T.KIND_REQUEST ? 'request' : 'response';
  }

  get method(): string | null {
    return textAt(T.T_METHOD_AT);
  }

  get requestUri(): SipUri | null {
    return table[T.T_REQUEST_URI + T.URI_AT] < 0 ? null : uriAt(T.T_REQUEST_URI);
  }

  get status(): number | null {
    return table[T.T_STATUS] === 0 ? null : table[T.T_STATUS];
  }

  /** The reason phrase of a response, empty where it has none; null in a request, and where the status line is malformed. */
  get reason(): string | null {
    if (this.status === null) return null;
    return phraseAt(AT, AT + this.length);
  }

  get from(): SipAddress | null {
    return addressAt(T.T_FROM);
  }

  get to(): SipAddress | null {
    return addressAt(T.T_TO);
  }

  get callId(): string | null {
    return textAt(T.T_CALL_ID_AT);
  }

  get cseqNumber(): number | null {
    return table[T.T_CSEQ_METHOD_AT] < 0 ? null : table[T.T_CSEQ] >>> 0;
  }

  get cseqMethod(): string | null {
    return textAt(T.T_CSEQ_METHOD_AT);
  }

  /** 0 to 255; NaN where it is malformed. */
  get maxForwards(): number | null {
    return numberAt(T.T_MAX_FORWARDS);
  }

  /** Seconds of the Expires header; NaN where it is malformed. */
  get expires(): number | null {
    return numberAt(T.T_EXPIRES);
  }

  get contentLength(): number | null {
    return numberAt(T.T_CONTENT_LENGTH);
  }

  get viaCount(): number {
    return table[T.T_VIA_COUNT];
  }

  /** @param i from 0, the topmost; below viaCount, else a RangeError */
  via(i: number): SipVia {
    needBelow(this.viaCount, i, 'Via');
    return viaAt(i);
  }

  /** Contact values other than "*". */
  get contactCount(): number {
    return table[T.T_CONTACT_COUNT];
  }

  /** Number of Contact values that are "*". */
  get stars(): number {
    return table[T.T_CONTACT_STAR];
  }

  /** @param i from 0, below contactCount, else a RangeError */
  contact(i: number): SipContact {
    needBelow(this.contactCount, i, 'contact');
    return contactAt(i);
  }

  get headerCount(): number {
    return table[T.T_HEADER_COUNT];
  }

  /** Unneeded malformed rows, which are not among the headers (RFC 3261 §8.2.2). */
  get ignoredRows(): number {
    return table[T.T_IGNORED_ROWS];
  }

  /** @param i from 0, below headerCount, else a RangeError; in the order of the message */
  header(i: number): SipHeader {
    needBelow(this.headerCount, i, 'header');
    return headerAt(i);
  }

  /** The values of every row with this name, as sent; without regard to case, compact forms not translated. */
  values(name: string): string[] {
    const wanted = name.toLowerCase();
    return list(this.headerCount, headerAt)
      .filter((header) => header.name.toLowerCase() === wanted)
      .map(({ value }) => value);
  }

  /** The body's bytes, a copy. */
  get body(): Uint8Array {
    return slab.slice(table[T.T_BODY_AT], table[T.T_BODY_END]);
  }

  /** Length of the message as it was handed in, bytes. */
  get byteLength(): number {
    return this.length;
  }

  /** A copy of the whole message. */
  toObject(): PlainMessage {
    const number = this.cseqNumber;
    return {
      kind: this.kind,
      error: this.error,
      method: this.method,
      requestUri: this.requestUri,
      status: this.status,
      reason: this.reason,
      from: this.from,
      to: this.to,
      callId: this.callId,
      cseq: number === null ? null : { number, method: this.cseqMethod ?? '' },
      maxForwards: this.maxForwards,
      expires: this.expires,
      contentLength: this.contentLength,
      vias: list(this.viaCount, viaAt),
      contacts: list(this.contactCount, contactAt),
      stars: this.stars,
      headers: list(this.headerCount, headerAt),
      body: decoder.decode(this.body),
    };
  }
}

/** The result of parse(): with `ok`, `error` is null. */
export type ParsedMessage = SipMessage &
  ({ readonly ok: true; readonly error: null } | { readonly ok: false; readonly error: SipError });

function needBelow(count: number, i: number, what: string): void {
  if (!Number.isInteger(i) || i < 0 || i >= count) throw new RangeError(`there is no ${what} ${i}, but ${count}`);
}

const message = new SipMessage();
const NONE: readonly Leniency[] = [];

/**
 * Parses one whole message, as a datagram holds it. The bytes are copied; the result is this thread's only view, and valid until the
 * next call. A fault of the message is its `error`.
 * @throws RangeError for more than 65,535 bytes and for a name in `strict` that is no leniency; TypeError for any other type than
 * Uint8Array, and for a `strict` that is no list
 */
export function parse(bytes: Uint8Array, options?: ParseOptions): ParsedMessage {
  if (!isBytes(bytes)) throw new TypeError('a message to parse is a Buffer or another Uint8Array');
  if (bytes.length > MESSAGE_BYTES_MAX)
    throw new RangeError(`a SIP message of ${bytes.length} bytes; at most ${MESSAGE_BYTES_MAX} are parsed`);
  const strict = options?.strict ?? false;
  const off = strict === true ? LENIENCIES : strict === false ? NONE : strict;
  if (off !== LENIENCIES) needLeniencies(off);
  slab.set(bytes, AT);
  message.parse(bytes.length, off);
  return message as ParsedMessage;
}
