// Checks of every request before the registrar (RFC 3261 §8.2): well-formedness, method, Request-URI, Require,
// content; and OPTIONS (§11.2) and CANCEL (§9.2). Pure: the request in the span table, answers into the exchange's result.
// Authentication, if on, is between checkBeforeAuthentication() and checkAfterAuthentication(); the order is the same for every request.
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
  H_CONTENT_LENGTH,
  H_REQUIRE,
  H_TIMESTAMP,
  METHOD_INVITE,
  METHOD_OPTIONS,
  METHOD_REGISTER,
  METHOD_SUBSCRIBE,
  METHOD_UNKNOWN,
  OPTION_GIN,
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
import { CLASS, DIGIT, DOT, LWS } from '../../sip/scanner.ts';
import { TRANSPORT_TCP, TRANSPORT_TLS } from '../../sip/sources.ts';
import { ascii } from '../../sip/writer.ts';
import { acceptsSdp, checkContent } from './content/content-rules.ts';
import type { Exchange } from './exchange.ts';
import { CSEQ_OUT_OF_ORDER, MISSING_PHRASE, PARSE_PHRASE, PHRASE, REPEATED_PHRASE } from './phrases.ts';
import { type Policy, servesBulk } from './policy.ts';
import {
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

/** Option tags, each with the condition under which it is served. */
const OPTIONS: readonly (readonly [bit: number, name: string, on: (policy: Policy) => boolean])[] = [
  [OPTION_PATH, 'path', () => true],
  [OPTION_OUTBOUND, 'outbound', (policy) => policy.outbound !== 'off'],
  [OPTION_GRUU, 'gruu', (policy) => policy.gruu === 'on'],
  [OPTION_PREF, 'pref', () => true],
  [OPTION_GIN, 'gin', servesBulk],
];

const ALLOW = 'Allow: REGISTER, OPTIONS, CANCEL, ACK';
const ALLOW_EVENTS = 'Allow-Events: reg';
const ACCEPT = ascii('Accept: application/sdp\r\n');
const ACCEPT_ENCODING = ascii('Accept-Encoding: identity\r\n');
const ACCEPT_LANGUAGE = ascii('Accept-Language: en\r\n');
const UNSUPPORTED = ascii('Unsupported: ');
const TIMESTAMP = ascii('Timestamp: ');
const RETRY_AFTER = ascii('Retry-After: ');
const COMMA = ascii(', ');
const CRLF = ascii('\r\n');

export class UserAgentServer {
  private readonly hosts: ServedHosts;
  private readonly messageBytesMax: number;
  /** Option tags understood in Require, as OPTION_* bits; and the row of an answer to OPTIONS that lists them. */
  private readonly options: number;
  private readonly supported: Uint8Array;
  private readonly subscriptions: boolean;
  private readonly allow: Uint8Array;
  /** RFC 6665 §4.4.4. */
  private readonly allowEvents: Uint8Array;

  constructor(policy: Policy) {
    this.subscriptions = policy.subscriptions.enabled;
    this.allow = ascii(this.subscriptions ? `${ALLOW}, SUBSCRIBE\r\n` : `${ALLOW}\r\n`);
    this.allowEvents = ascii(this.subscriptions ? `${ALLOW_EVENTS}\r\n` : '');
    this.hosts = new ServedHosts(policy);
    const served = OPTIONS.filter(([, , on]) => on(policy));
    this.options = served.reduce((bits, [bit]) => bits | bit, 0);
    this.supported = ascii(`Supported: ${served.map(([, name]) => name).join(', ')}\r\n`);
    this.messageBytesMax = policy.messageBytesMax;
  }

  /**
   * Checks before authentication: the request is well formed, and for a served domain.
   * @param anyMethod the request may be redirected, and so may have any method (§8.3)
   */
  checkBeforeAuthentication(exchange: Exchange, messageBytes: number, anyMethod: boolean): number {
    return this.checkForm(exchange, messageBytes, anyMethod) || this.checkRequestUri(exchange);
  }

  /** The other checks of §8.2, after authentication; 0 to continue, else the status of the answer written. */
  checkAfterAuthentication(exchange: Exchange): number {
    return this.checkRequire(exchange) || checkContent(exchange) || this.checkMethod(exchange);
  }

  /** Well formed, of a known method and SIP version, not too large. */
  private checkForm(exchange: Exchange, messageBytes: number, anyMethod: boolean): number {
    const error = table[T_ERROR];
    if (!anyMethod && table[T_METHOD] === METHOD_UNKNOWN && (error === E_OK || error === E_CSEQ_METHOD))
      return refuse(exchange, 501, PHRASE[501], REASON_METHOD_UNKNOWN, this.allow);
    const { peers, peer } = exchange.request;
    const transport = peers.transport[peer];
    if (transport === TRANSPORT_TCP || transport === TRANSPORT_TLS)
      return this.checkFrame(exchange, error, messageBytes);
    return this.checkSize(exchange, error, messageBytes);
  }

  /** §18.3: checks a message that framing could not delimit: only its head came, and the connection will be closed. */
  private checkFrame(exchange: Exchange, error: number, messageBytes: number): number {
    if (error === E_TRUNCATED || error === E_UNTERMINATED)
      return refuse(exchange, 513, PHRASE[513], REASON_MESSAGE_TOO_LARGE);
    if (error === E_OK && table[T_FIRST_ROW + H_CONTENT_LENGTH] === ABSENT)
      return refuse(exchange, 400, MISSING_PHRASE[H_CONTENT_LENGTH], E_MISSING);
    return this.checkSize(exchange, error, messageBytes);
  }

  private checkSize(exchange: Exchange, error: number, messageBytes: number): number {
    if (error !== E_OK) return refuseMalformed(exchange, error);
    if (messageBytes > this.messageBytesMax) return refuse(exchange, 513, PHRASE[513], REASON_MESSAGE_TOO_LARGE);
    return GO_ON;
  }

  /** §8.2.2.1 and §10.3 step 1: a SIP URI of a served domain, or of this server. */
  private checkRequestUri(exchange: Exchange): number {
    const scheme = table[T_REQUEST_URI + URI_SCHEME];
    if (scheme !== SCHEME_SIP && scheme !== SCHEME_SIPS) return refuse(exchange, 416, PHRASE[416], REASON_URI_SCHEME);
    if (!this.hosts.haveRequestUri()) return refuse(exchange, 404, PHRASE[404], REASON_DOMAIN_NOT_SERVED);
    return GO_ON;
  }

  /** §8.2.2.3 and §10.3 step 2: 420 with exactly the tags that are not understood. */
  private checkRequire(exchange: Exchange): number {
    if (table[T_REQUIRE_UNKNOWN] === 0 && (table[T_REQUIRE] & ~this.options) === 0) return GO_ON;
    exchange.result.reason = REASON_EXTENSION_UNSUPPORTED;
    startResponse(exchange, 420, PHRASE[420]);
    const w = exchange.result.answer;
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
    endResponse(exchange);
    return 420;
  }

  private checkMethod(exchange: Exchange): number {
    const method = table[T_METHOD];
    if (method === METHOD_REGISTER || method === METHOD_OPTIONS) return GO_ON;
    if (method === METHOD_SUBSCRIBE && this.subscriptions) return GO_ON;
    if (method === METHOD_INVITE && !acceptsSdp()) return refuse(exchange, 406, PHRASE[406], REASON_NOT_ACCEPTABLE);
    return refuse(exchange, 405, PHRASE[405], REASON_METHOD_NOT_ALLOWED, this.allow);
  }

  /**
   * §11.2. For the domain itself 200; for a user's address 200 where it has bindings in the request's state, else 404.
   * @param hasBindings whether the AOR of the Request-URI has any
   */
  answerOptions(exchange: Exchange, hasBindings: boolean): number {
    if (table[T_REQUEST_URI + URI_USER_AT] >= 0 && !hasBindings)
      return refuse(exchange, 404, PHRASE[404], REASON_NO_BINDINGS);
    startResponse(exchange, 200, PHRASE[200]);
    const w = exchange.result.answer;
    w.text(this.allow);
    w.text(this.allowEvents);
    w.text(ACCEPT);
    w.text(ACCEPT_ENCODING);
    w.text(ACCEPT_LANGUAGE);
    w.text(this.supported);
    endResponse(exchange);
    return 200;
  }

  /** §9.2: 200 where the transaction is known (it continues regardless), else 481. */
  cancel(exchange: Exchange, known: boolean): number {
    if (table[T_ERROR] !== E_OK) return refuseMalformed(exchange, table[T_ERROR]);
    return known ? refuse(exchange, 200, PHRASE[200], 0) : refuse(exchange, 481, PHRASE[481], REASON_NO_TRANSACTION);
  }

  /** §8.2.6.1: with the request's Timestamp. */
  trying(exchange: Exchange): number {
    startResponse(exchange, 100, PHRASE[100]);
    const row = table[T_FIRST_ROW + H_TIMESTAMP];
    const { answer } = exchange.result;
    if (row >= 0 && isTime(rowInt(row, ROW_VALUE_AT), rowInt(row, ROW_VALUE_END))) {
      answer.text(TIMESTAMP);
      answer.span(slab, rowInt(row, ROW_VALUE_AT), rowInt(row, ROW_VALUE_END));
      answer.text(CRLF);
    }
    endResponse(exchange);
    return 100;
  }

  /** §8.2.2.2. */
  merged(exchange: Exchange): number {
    return refuse(exchange, 482, PHRASE[482], REASON_MERGED);
  }

  /** Repeats the refusal of a request whose answer is no longer kept (§17.2.2). */
  refuseAgain(exchange: Exchange, status: number): number {
    // The only kept 500 is a CSeq's (§10.3 step 7).
    return refuse(exchange, status, status === 500 ? CSEQ_OUT_OF_ORDER : PHRASE[status], REASON_REFUSED_BEFORE);
  }

  /** §10.3 step 4: this user may not register the AOR. */
  forbidden(exchange: Exchange): number {
    return refuse(exchange, 403, PHRASE[403], REASON_IDENTITY_NOT_AOR);
  }

  /** Overload: the client may try again after this many seconds (§21.5.4). */
  busy(exchange: Exchange, retryAfterS: number): number {
    return unavailable(exchange, retryAfterS, REASON_OVERLOAD);
  }

  /** The commit failed: the request has changed nothing (§10.3 step 7), and the next try may succeed. */
  notKept(exchange: Exchange, retryAfterS: number): number {
    return unavailable(exchange, retryAfterS, REASON_STORE_FAILED);
  }

  /** The result of the commit is not known yet (§21.5.5): unlike after a 503, it may succeed. */
  unknown(exchange: Exchange, retryAfterS: number): number {
    return unavailable(exchange, retryAfterS, REASON_STORE_FAILED, 504);
  }

  /** The AOR's record cannot be read, or the answer does not fit. */
  failed(exchange: Exchange): number {
    return refuse(exchange, 500, PHRASE[500], REASON_STORE_FAILED);
  }
}

function unavailable(exchange: Exchange, retryAfterS: number, reason: number, status = 503): number {
  const { answer } = exchange.result;
  exchange.result.reason = reason;
  startResponse(exchange, status, PHRASE[status]);
  answer.text(RETRY_AFTER);
  answer.number(retryAfterS);
  answer.text(CRLF);
  endResponse(exchange);
  return status;
}

/** A 400 whose phrase names the fault (§21.4.1), or 505. */
function refuseMalformed(exchange: Exchange, error: number): number {
  if (error === E_VERSION) return refuse(exchange, 505, PHRASE[505], error);
  if (error === E_MISSING) return refuse(exchange, 400, MISSING_PHRASE[table[T_ERROR_HEADER]], error);
  if (error === E_REPEATED) return refuse(exchange, 400, REPEATED_PHRASE[table[T_ERROR_HEADER]], error);
  return refuse(exchange, 400, PARSE_PHRASE[error], error);
}

/** §20.38: digits, a dot and a delay behind them. */
function isTime(at: number, end: number): boolean {
  for (let p = at; p < end; p++) if ((CLASS[slab[p]] & (DIGIT | LWS)) === 0 && slab[p] !== DOT) return false;
  return end > at;
}

function rowInt(row: number, field: number): number {
  return table[T_ROWS + row * ROW_INTS + field];
}
