// What every request meets before and beside the registrar (RFC 3261 §8.2): well-formedness, method, Request-URI, Require,
// content; and OPTIONS (§11.2) and CANCEL (§9.2). Pure: the request in the span table, answers into the outbox.
// Authentication, where it is on, stands between admit() and check(); the order is the same for every request.
// @hot

import { nextToken, optionBit, tokenAt, tokenEnd } from '../../sip/option-tags.ts';
import {
  E_CSEQ_METHOD,
  E_MISSING,
  E_OK,
  E_REPEATED,
  E_TRUNCATED,
  E_UNTERMINATED,
  E_VERSION,
} from '../../sip/parser/parse-error.ts';
import { slab, table } from '../../sip/parser/slab.ts';
import {
  ABSENT,
  H_ACCEPT,
  H_CONTENT_DISPOSITION,
  H_CONTENT_ENCODING,
  H_CONTENT_LENGTH,
  H_CONTENT_TYPE,
  H_REQUIRE,
  H_TIMESTAMP,
  METHOD_INVITE,
  METHOD_OPTIONS,
  METHOD_REGISTER,
  METHOD_UNKNOWN,
  OPTION_GRUU,
  OPTION_OUTBOUND,
  OPTION_PATH,
  OPTION_PREF,
  ROW_INTS,
  ROW_NEXT,
  ROW_VALUE_AT,
  ROW_VALUE_END,
  SCHEME_SIP,
  SCHEME_SIPS,
  T_BODY_AT,
  T_BODY_END,
  T_ERROR,
  T_ERROR_HEADER,
  T_FIRST_ROW,
  T_METHOD,
  T_REQUEST_URI,
  T_REQUIRE,
  T_REQUIRE_UNKNOWN,
  T_ROWS,
  URI_SCHEME,
  URI_USER_AT,
} from '../../sip/parser/span-table.ts';
import { CLASS, DIGIT, DOT, isText, LWS } from '../../sip/scanner.ts';
import { TRANSPORT_TCP, TRANSPORT_TLS } from '../../sip/sources.ts';
import { ascii } from '../../sip/writer.ts';
import { isOptional, isSessionType, isSkippableMultipart } from './body-parts.ts';
import type { Outbox } from './outbox.ts';
import { CSEQ_OUT_OF_ORDER, MISSING_PHRASE, PARSE_PHRASE, PHRASE, REPEATED_PHRASE } from './phrases.ts';
import type { Policy } from './policy.ts';
import {
  REASON_CONTENT_ENCODING,
  REASON_CONTENT_TYPE,
  REASON_DOMAIN_NOT_SERVED,
  REASON_EXTENSION_UNSUPPORTED,
  REASON_IDENTITY_NOT_AOR,
  REASON_MERGED,
  REASON_MESSAGE_TOO_LARGE,
  REASON_METHOD_NOT_ALLOWED,
  REASON_METHOD_UNKNOWN,
  REASON_NO_BINDINGS,
  REASON_NO_TRANSACTION,
  REASON_NOT_ACCEPTABLE,
  REASON_OVERLOAD,
  REASON_REFUSED_BEFORE,
  REASON_STORE_FAILED,
  REASON_URI_SCHEME,
} from './reasons.ts';
import { endResponse, refuse, startResponse } from './response.ts';
import { ServedHosts } from './served-hosts.ts';

const GO_ON = 0;

/** Option tags that may be served, and when. */
const OPTIONS: readonly (readonly [bit: number, name: string, on: (policy: Policy) => boolean])[] = [
  [OPTION_PATH, 'path', () => true],
  [OPTION_OUTBOUND, 'outbound', (policy) => policy.outbound !== 'off'],
  [OPTION_GRUU, 'gruu', (policy) => policy.gruu === 'on'],
  [OPTION_PREF, 'pref', () => true],
];

const ALLOW = ascii('Allow: REGISTER, OPTIONS, CANCEL, ACK\r\n');
const ACCEPT = ascii('Accept: application/sdp\r\n');
const ACCEPT_ENCODING = ascii('Accept-Encoding: identity\r\n');
const ACCEPT_LANGUAGE = ascii('Accept-Language: en\r\n');
const UNSUPPORTED = ascii('Unsupported: ');
const TIMESTAMP = ascii('Timestamp: ');
const RETRY_AFTER = ascii('Retry-After: ');
const COMMA = ascii(', ');
const CRLF = ascii('\r\n');
const SDP = ascii('application/sdp');
const ANY_APPLICATION = ascii('application/*');
const ANY_TYPE = ascii('*/*');
const IDENTITY = ascii('identity');

export class UserAgentServer {
  private readonly hosts: ServedHosts;
  private readonly messageBytesMax: number;
  /** Option tags understood in Require, as OPTION_* bits; and the row of an answer to OPTIONS that lists them. */
  private readonly options: number;
  private readonly supported: Uint8Array;

  constructor(policy: Policy) {
    this.hosts = new ServedHosts(policy);
    const served = OPTIONS.filter(([, , on]) => on(policy));
    this.options = served.reduce((bits, [bit]) => bits | bit, 0);
    this.supported = ascii(`Supported: ${served.map(([, name]) => name).join(', ')}\r\n`);
    this.messageBytesMax = policy.messageBytesMax;
  }

  /**
   * What a request must be before it is worth asking who sent it: well formed, and for a domain served here.
   * @param anyMethod it is to be redirected, and so may have any method (§8.3)
   */
  admit(out: Outbox, messageBytes: number, anyMethod: boolean): number {
    return this.checkForm(out, messageBytes, anyMethod) || this.checkRequestUri(out);
  }

  /** The other checks of §8.2, behind authentication; 0 to go on, else the status of the answer written. */
  check(out: Outbox): number {
    return this.checkRequire(out) || this.checkContent(out) || this.checkMethod(out);
  }

  /** Well formed, of a known method and SIP version, not too large. */
  private checkForm(out: Outbox, messageBytes: number, anyMethod: boolean): number {
    const error = table[T_ERROR];
    if (!anyMethod && table[T_METHOD] === METHOD_UNKNOWN && (error === E_OK || error === E_CSEQ_METHOD))
      return refuse(out, 501, PHRASE[501], REASON_METHOD_UNKNOWN, ALLOW);
    const transport = out.peers.transport[out.peer];
    if (transport === TRANSPORT_TCP || transport === TRANSPORT_TLS) return this.checkFrame(out, error, messageBytes);
    return this.checkSize(out, error, messageBytes);
  }

  /** §18.3: what framing could not cut off as a message: its head came alone, and the connection will be closed. */
  private checkFrame(out: Outbox, error: number, messageBytes: number): number {
    if (error === E_TRUNCATED || error === E_UNTERMINATED)
      return refuse(out, 513, PHRASE[513], REASON_MESSAGE_TOO_LARGE);
    if (error === E_OK && table[T_FIRST_ROW + H_CONTENT_LENGTH] === ABSENT)
      return refuse(out, 400, MISSING_PHRASE[H_CONTENT_LENGTH], E_MISSING);
    return this.checkSize(out, error, messageBytes);
  }

  private checkSize(out: Outbox, error: number, messageBytes: number): number {
    if (error !== E_OK) return refuseMalformed(out, error);
    if (messageBytes > this.messageBytesMax) return refuse(out, 513, PHRASE[513], REASON_MESSAGE_TOO_LARGE);
    return GO_ON;
  }

  /** §8.2.2.1 and §10.3 step 1: a SIP URI of a domain served here, or of this server. */
  private checkRequestUri(out: Outbox): number {
    const scheme = table[T_REQUEST_URI + URI_SCHEME];
    if (scheme !== SCHEME_SIP && scheme !== SCHEME_SIPS) return refuse(out, 416, PHRASE[416], REASON_URI_SCHEME);
    if (!this.hosts.haveRequestUri()) return refuse(out, 404, PHRASE[404], REASON_DOMAIN_NOT_SERVED);
    return GO_ON;
  }

  /** §8.2.2.3 and §10.3 step 2: 420 naming exactly the tags that are not understood. */
  private checkRequire(out: Outbox): number {
    if (table[T_REQUIRE_UNKNOWN] === 0 && (table[T_REQUIRE] & ~this.options) === 0) return GO_ON;
    out.reason = REASON_EXTENSION_UNSUPPORTED;
    startResponse(out, 420, PHRASE[420]);
    const w = out.answer;
    w.text(UNSUPPORTED);
    let first = true;
    for (let row = table[T_FIRST_ROW + H_REQUIRE]; row !== ABSENT; row = rowInt(row, ROW_NEXT)) {
      const end = rowInt(row, ROW_VALUE_END);
      for (let at = nextToken(slab, rowInt(row, ROW_VALUE_AT), end); at >= 0; at = nextToken(slab, at, end)) {
        if ((optionBit(slab, tokenAt(), tokenEnd()) & this.options) !== 0) continue;
        if (!first) w.text(COMMA);
        first = false;
        w.span(slab, tokenAt(), tokenEnd());
      }
    }
    w.text(CRLF);
    endResponse(out);
    return 420;
  }

  /** §8.2.3: a body that may not be skipped is a session description in no encoding, or draws 415. */
  private checkContent(out: Outbox): number {
    if (table[T_BODY_END] <= table[T_BODY_AT] || isOptionalBody()) return GO_ON;
    const encoding = table[T_FIRST_ROW + H_CONTENT_ENCODING];
    if (encoding >= 0 && !isText(slab, rowInt(encoding, ROW_VALUE_AT), rowInt(encoding, ROW_VALUE_END), IDENTITY))
      return refuse(out, 415, PHRASE[415], REASON_CONTENT_ENCODING, ACCEPT_ENCODING);
    const type = table[T_FIRST_ROW + H_CONTENT_TYPE];
    if (type >= 0 && !isSkippableType(rowInt(type, ROW_VALUE_AT), rowInt(type, ROW_VALUE_END)))
      return refuse(out, 415, PHRASE[415], REASON_CONTENT_TYPE, ACCEPT);
    return GO_ON;
  }

  private checkMethod(out: Outbox): number {
    const method = table[T_METHOD];
    if (method === METHOD_REGISTER || method === METHOD_OPTIONS) return GO_ON;
    if (method === METHOD_INVITE && !acceptsSdp()) return refuse(out, 406, PHRASE[406], REASON_NOT_ACCEPTABLE);
    return refuse(out, 405, PHRASE[405], REASON_METHOD_NOT_ALLOWED, ALLOW);
  }

  /**
   * §11.2. For the domain itself 200; for a user's address 200 where it has bindings in the outbox's state, else 404.
   * @param hasBindings whether the AOR of the Request-URI has any
   */
  answerOptions(out: Outbox, hasBindings: boolean): number {
    if (table[T_REQUEST_URI + URI_USER_AT] >= 0 && !hasBindings)
      return refuse(out, 404, PHRASE[404], REASON_NO_BINDINGS);
    startResponse(out, 200, PHRASE[200]);
    const w = out.answer;
    w.text(ALLOW);
    w.text(ACCEPT);
    w.text(ACCEPT_ENCODING);
    w.text(ACCEPT_LANGUAGE);
    w.text(this.supported);
    endResponse(out);
    return 200;
  }

  /** §9.2: 200 where the transaction is known (which goes on regardless), else 481. */
  cancel(out: Outbox, known: boolean): number {
    if (table[T_ERROR] !== E_OK) return refuseMalformed(out, table[T_ERROR]);
    return known ? refuse(out, 200, PHRASE[200], 0) : refuse(out, 481, PHRASE[481], REASON_NO_TRANSACTION);
  }

  /** §8.2.6.1: with the request's Timestamp. */
  trying(out: Outbox): number {
    startResponse(out, 100, PHRASE[100]);
    const row = table[T_FIRST_ROW + H_TIMESTAMP];
    if (row >= 0 && isTime(rowInt(row, ROW_VALUE_AT), rowInt(row, ROW_VALUE_END))) {
      out.answer.text(TIMESTAMP);
      out.answer.span(slab, rowInt(row, ROW_VALUE_AT), rowInt(row, ROW_VALUE_END));
      out.answer.text(CRLF);
    }
    endResponse(out);
    return 100;
  }

  /** §8.2.2.2. */
  merged(out: Outbox): number {
    return refuse(out, 482, PHRASE[482], REASON_MERGED);
  }

  /** The same refusal once more, of a request whose answer is no longer kept (§17.2.2). */
  refuseAgain(out: Outbox, status: number): number {
    // The 500 that is kept is the one of a CSeq (§10.3 step 7).
    return refuse(out, status, status === 500 ? CSEQ_OUT_OF_ORDER : PHRASE[status], REASON_REFUSED_BEFORE);
  }

  /** §10.3 step 4: whoever asks may not. */
  forbidden(out: Outbox): number {
    return refuse(out, 403, PHRASE[403], REASON_IDENTITY_NOT_AOR);
  }

  /** Overload: the client may come back in so many seconds (§21.5.4). */
  busy(out: Outbox, retryAfterS: number): number {
    return unavailable(out, retryAfterS, REASON_OVERLOAD);
  }

  /** The commit failed: nothing of the request was done (§10.3 step 7), and the next try may find the disk in order. */
  notKept(out: Outbox, retryAfterS: number): number {
    return unavailable(out, retryAfterS, REASON_STORE_FAILED);
  }

  /** What the store has of the AOR cannot be read, or the answer does not fit. */
  failed(out: Outbox): number {
    return refuse(out, 500, PHRASE[500], REASON_STORE_FAILED);
  }
}

function unavailable(out: Outbox, retryAfterS: number, reason: number): number {
  out.reason = reason;
  startResponse(out, 503, PHRASE[503]);
  out.answer.text(RETRY_AFTER);
  out.answer.number(retryAfterS);
  out.answer.text(CRLF);
  endResponse(out);
  return 503;
}

/** A 400 whose phrase says what was wrong (§21.4.1), or 505. */
function refuseMalformed(out: Outbox, error: number): number {
  if (error === E_VERSION) return refuse(out, 505, PHRASE[505], error);
  if (error === E_MISSING) return refuse(out, 400, MISSING_PHRASE[table[T_ERROR_HEADER]], error);
  if (error === E_REPEATED) return refuse(out, 400, REPEATED_PHRASE[table[T_ERROR_HEADER]], error);
  return refuse(out, 400, PARSE_PHRASE[error], error);
}

/** §20.38: digits, a dot and a delay behind them. */
function isTime(at: number, end: number): boolean {
  for (let p = at; p < end; p++) if ((CLASS[slab[p]] & (DIGIT | LWS)) === 0 && slab[p] !== DOT) return false;
  return end > at;
}

function rowInt(row: number, field: number): number {
  return table[T_ROWS + row * ROW_INTS + field];
}

/** Whether a part of any row with this id reads `text` (lower case), whatever the case. */
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
function acceptsSdp(): boolean {
  if (table[T_FIRST_ROW + H_ACCEPT] < 0) return true;
  return contains(H_ACCEPT, SDP) || contains(H_ACCEPT, ANY_APPLICATION) || contains(H_ACCEPT, ANY_TYPE);
}
