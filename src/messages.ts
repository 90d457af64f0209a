// The sub-path export aorta/messages: SIP messages to build and to change, for proxies and clients. Unchanged rows leave with the bytes of their
// arrival. No other part of Aorta is loaded.

import { type Params, readParams, splitValues, writeParams } from './sip/message/params.ts';
import { canonicalName, HeaderRows } from './sip/message/rows.ts';
import { readVia, type Via, type ViaValue, writeVia } from './sip/message/via-value.ts';
import { PARSE_ERROR_TEXT } from './sip/parser/parse-error-text.ts';
import { parse } from './sip/parser/parser.ts';
import { isBytes, MESSAGE_BYTES_MAX, slab, slotStart, table } from './sip/parser/slab.ts';
import {
  KIND_REQUEST,
  ROW_INTS,
  ROW_NAME_AT,
  ROW_NAME_END,
  ROW_VALUE_AT,
  ROW_VALUE_END,
  T_BODY_AT,
  T_BODY_END,
  T_ERROR_AT,
  T_HEADER_COUNT,
  T_KIND,
  T_METHOD_AT,
  T_REQUEST_URI,
  T_ROWS,
  T_STATUS,
  URI_AT,
  URI_HOST_AT,
  URI_PORT,
  URI_USER_AT,
} from './sip/parser/span-table.ts';

export type { Params, Via, ViaValue };
export { readParams, splitValues, writeParams };

const AT = slotStart(0);
const decoder = new TextDecoder();
const encoder = new TextEncoder();
const TOKEN = /^[A-Za-z0-9\-.!%*_+`'~]+$/;
const NO_BODY = new Uint8Array(0);
const REASONS: Readonly<Record<number, string>> = {
  100: 'Trying',
  180: 'Ringing',
  200: 'OK',
  302: 'Moved Temporarily',
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  408: 'Request Timeout',
  430: 'Flow Failed',
  480: 'Temporarily Unavailable',
  481: 'Call/Transaction Does Not Exist',
  482: 'Loop Detected',
  483: 'Too Many Hops',
  486: 'Busy Here',
  500: 'Server Internal Error',
  503: 'Service Unavailable',
  504: 'Server Time-out',
};
/** Headers that an answer copies from its request (RFC 3261 §8.2.6.2). */
const ANSWERED = ['Via', 'From', 'To', 'Call-ID', 'CSeq'];

/** Bytes that are no well-formed message. */
export class MessageError extends Error {
  override readonly name = 'MessageError';
  /** E_* of docs/parser.md. */
  readonly code: number;
  /** Bytes from the start of the message. */
  readonly offset: number;

  constructor(code: number, offset: number) {
    super(`${PARSE_ERROR_TEXT[code]} at byte ${offset}`);
    this.code = code;
    this.offset = offset;
  }
}

/** The parts of a SIP or SIPS URI that route a request. */
export interface TargetUri {
  readonly text: string;
  readonly user: string | null;
  /** With the brackets of an IPv6 address. */
  readonly host: string;
  readonly port: number | null;
}

export type HeaderValues = Readonly<Record<string, string | readonly string[]>>;

export interface RequestOptions {
  readonly method: string;
  readonly uri: string;
  /** Headers in their order; a list makes a row of each. Max-Forwards is 70 where it is left out. */
  readonly headers?: HeaderValues;
  readonly body?: string | Uint8Array;
}

/**
 * One SIP message. Names of headers are compared without regard to case, and compact forms are the same as long ones. Every
 * change is checked: a value with a line break, or a name that is no token, is a RangeError, and the message stays as it was.
 */
export class Message {
  private readonly rows: HeaderRows;
  private first: readonly [string, string];
  private content: Uint8Array;

  /** @internal */
  constructor(first: readonly [string, string], rows: HeaderRows, content: Uint8Array) {
    this.first = first;
    this.rows = rows;
    this.content = content;
  }

  get kind(): 'request' | 'response' {
    return this.first[0].startsWith('SIP/') ? 'response' : 'request';
  }

  /** The method of a request; null in a response. */
  get method(): string | null {
    return this.kind === 'request' ? this.first[0] : null;
  }

  /** The Request-URI; null in a response. */
  get uri(): string | null {
    return this.kind === 'request' ? this.first[1] : null;
  }

  /** Gives a request another Request-URI. */
  set uri(uri: string) {
    if (this.kind !== 'request') throw new RangeError('a response has no Request-URI');
    this.first = [this.first[0], uriText(uri)];
  }

  /** The status of a response; null in a request. */
  get status(): number | null {
    return this.kind === 'response' ? Number(this.first[1].slice(0, 3)) : null;
  }

  /** Names and values in their order of sending; a row with a list is one value. */
  get headers(): readonly (readonly [name: string, value: string])[] {
    return this.rows.all();
  }

  /** The value of the first row with this name. */
  get(name: string): string | undefined {
    return this.rows.values(name)[0];
  }

  /** The values of all its rows, unchanged; `splitValues` splits a list. */
  getAll(name: string): readonly string[] {
    return this.rows.values(name);
  }

  has(name: string): boolean {
    return this.rows.values(name).length > 0;
  }

  /** One row with this value, in the place of the first one, replaces all of this name. */
  set(name: string, value: string): this {
    this.rows.set(name, value);
    return this;
  }

  /** Adds a row after all of this name; after all rows where there is none. */
  append(name: string, value: string): this {
    this.rows.append(name, value);
    return this;
  }

  /** Adds a row before all of this name; before all rows where there is none. */
  prepend(name: string, value: string): this {
    this.rows.prepend(name, value);
    return this;
  }

  /** Removes all rows of this name; returns how many there were. */
  remove(name: string): number {
    return this.rows.remove(name);
  }

  /** Vias from the top on, over all rows. */
  get vias(): readonly Via[] {
    return this.rows.values('Via').flatMap(splitValues).map(readVia);
  }

  /** Adds a Via on top (RFC 3261 §16.6 step 8). */
  pushVia(via: ViaValue): this {
    return this.prepend('Via', writeVia(via));
  }

  /** Removes the topmost Via (§16.7 step 3), and returns it. */
  popVia(): Via | undefined {
    const value = this.rows.popValue('Via');
    return value === undefined ? undefined : readVia(value);
  }

  /** Changes parameters of the topmost Via, such as `{ received: '192.0.2.1', rport: '5062' }`; null removes one. */
  changeVia(params: Readonly<Record<string, string | null>>): this {
    const [top] = this.vias;
    if (top === undefined) throw new RangeError('there is no Via');
    const changed = { ...top.params };
    for (const [name, value] of Object.entries(params)) {
      if (value === null) delete changed[name];
      else changed[name] = value;
    }
    const value = writeVia({ ...top, params: changed });
    this.rows.popValue('Via');
    return this.prepend('Via', value);
  }

  /** Removes the topmost value of a list, such as the Route that a proxy has followed (§16.4), and returns it. */
  popValue(name: string): string | undefined {
    return this.rows.popValue(name);
  }

  get body(): Uint8Array {
    return this.content;
  }

  /** Sets a body with its type; removes the type without one. Content-Length follows by itself. */
  setBody(body: string | Uint8Array, type?: string): this {
    if (type === undefined) this.remove('Content-Type');
    else this.set('Content-Type', type);
    this.content = bodyBytes(body);
    return this;
  }

  /**
   * The answer to this request (§8.2.6): its Vias, From, To, Call-ID and CSeq.
   * @param tag the To tag of ours where the request has none; random by default, none in a 100
   */
  respond(status: number, reason = REASONS[status] ?? 'Unknown', tag = randomTag()): Message {
    if (this.kind !== 'request') throw new RangeError('a response is not answered');
    if (!Number.isInteger(status) || status < 100 || status > 699) throw new RangeError(`there is no status ${status}`);
    const rows = this.rows.pick(ANSWERED);
    const to = rows.values('To')[0] ?? '';
    if (status > 100 && readParams(to).params.tag === undefined) rows.set('To', `${to};tag=${tag}`);
    return new Message(['SIP/2.0', `${status} ${phrase(reason)}`], rows, NO_BODY);
  }

  /** An independent copy. */
  clone(): Message {
    return new Message(this.first, this.rows.copy(), this.content);
  }

  /** The message as it is sent, with its Content-Length. */
  toBytes(): Uint8Array {
    const { first, content } = this;
    const line = this.kind === 'request' ? `${first[0]} ${first[1]} SIP/2.0\r\n` : `${first[0]} ${first[1]}\r\n`;
    const head = [encoder.encode(line), ...this.rows.bytes(content.length), content];
    const bytes = new Uint8Array(head.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of head) {
      bytes.set(part, at);
      at += part.length;
    }
    return bytes;
  }

  toString(): string {
    return decoder.decode(this.toBytes());
  }
}

/**
 * Reads one whole message, as a datagram holds it. Bytes of rows stay as they are, folds undone; unneeded malformed rows are left out (§8.2.2).
 * @throws MessageError where it is not well formed; RangeError for more than 65,535 bytes; TypeError for any other type than Uint8Array
 */
export function parseMessage(bytes: Uint8Array): Message {
  if (!isBytes(bytes)) throw new TypeError('a message to parse is a Buffer or another Uint8Array');
  if (bytes.length > MESSAGE_BYTES_MAX)
    throw new RangeError(`a SIP message of ${bytes.length} bytes; at most ${MESSAGE_BYTES_MAX} are parsed`);
  slab.set(bytes, AT);
  const code = parse(AT, AT + bytes.length);
  if (code !== 0) throw new MessageError(code, Math.max(0, table[T_ERROR_AT] - AT));
  const rows = new HeaderRows();
  for (let i = 0; i < table[T_HEADER_COUNT]; i++) {
    const row = T_ROWS + i * ROW_INTS;
    rows.take(
      slab.slice(table[row + ROW_NAME_AT], table[row + ROW_NAME_END]),
      slab.slice(table[row + ROW_VALUE_AT], table[row + ROW_VALUE_END]),
    );
  }
  const body = slab.slice(table[T_BODY_AT], table[T_BODY_END]);
  if (table[T_KIND] === KIND_REQUEST)
    return new Message([textAt(T_METHOD_AT) ?? '', textAt(T_REQUEST_URI + URI_AT) ?? ''], rows, body);
  return new Message(['SIP/2.0', statusLine(bytes)], rows, body);
}

/** A request; an invalid method or header is a RangeError. */
export function createRequest({ method, uri, headers = {}, body = NO_BODY }: RequestOptions): Message {
  if (!TOKEN.test(method)) throw new RangeError(`"${method}" is no method`);
  const rows = new HeaderRows();
  for (const [name, values] of Object.entries(headers))
    for (const value of typeof values === 'string' ? [values] : values) rows.append(name, value);
  if (rows.values('Max-Forwards').length === 0) rows.append('Max-Forwards', '70');
  return new Message([method, uriText(uri)], rows, bodyBytes(body));
}

/** Splits a SIP or SIPS URI into its parts; undefined where no request can be sent to it. */
export function parseUri(uri: string): TargetUri | undefined {
  const bytes = encoder.encode(`OPTIONS ${uri} SIP/2.0\r\n\r\n`);
  if (/[\s<>]/.test(uri) || bytes.length > MESSAGE_BYTES_MAX) return undefined;
  slab.set(bytes, AT);
  parse(AT, AT + bytes.length);
  const host = textAt(T_REQUEST_URI + URI_HOST_AT);
  if (host === null) return undefined;
  const port = table[T_REQUEST_URI + URI_PORT];
  return { text: uri, user: textAt(T_REQUEST_URI + URI_USER_AT), host, port: port < 0 ? null : port };
}

/** The header's usual name: `v` and `via` are `Via`. */
export function headerName(name: string): string {
  return canonicalName(name);
}

function textAt(index: number): string | null {
  const at = table[index];
  return at < 0 ? null : decoder.decode(slab.subarray(at, table[index + 1]));
}

/** Status and phrase of the first line, which is well formed. */
function statusLine(bytes: Uint8Array): string {
  const text = decoder.decode(bytes.subarray(0, bytes.indexOf(10))).trim();
  return `${table[T_STATUS]} ${phrase(text.split(' ').slice(2).join(' '))}`;
}

function phrase(reason: string): string {
  if (/[\r\n\0]/.test(reason)) throw new RangeError('a reason phrase has no line break');
  return reason;
}

function uriText(uri: string): string {
  if (uri === '' || /[\s<>\0]/.test(uri)) throw new RangeError(`${JSON.stringify(uri)} is no URI`);
  return uri;
}

function bodyBytes(body: string | Uint8Array): Uint8Array {
  return typeof body === 'string' ? encoder.encode(body) : body;
}

function randomTag(): string {
  return crypto.randomUUID().slice(0, 13);
}
