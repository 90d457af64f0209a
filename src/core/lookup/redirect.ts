// The redirect server (RFC 3261 §8.3): any request for a user draws a 302 with the contacts of that user, or a refusal. Pure:
// the request in the span table, the AOR's images in the exchange. targets.ts chooses and orders the images; admission decides
// about the sender.
// @hot

import { slab, table } from '../../sip/parser/slab.ts';
import {
  H_OTHER,
  ROW_INTS,
  ROW_NAME_AT,
  ROW_NAME_END,
  ROW_NEXT,
  SCHEME_SIP,
  SCHEME_SIPS,
  T_FIRST_ROW,
  T_REQUEST_URI,
  T_ROWS,
  URI_HOST_AT,
  URI_HOST_END,
  URI_INTS,
  URI_SCHEME,
} from '../../sip/parser/span-table.ts';
import { isText, SEMICOLON, sameText } from '../../sip/scanner.ts';
import { parseUri } from '../../sip/uri/uri.ts';
import { uriEquals } from '../../sip/uri/uri-equality.ts';
import { ascii, type Writer } from '../../sip/writer.ts';
import {
  displayAt,
  expiresAtOf,
  hasFlag,
  paramsEnd,
  pathEnd,
  uriAt,
  uriEnd,
  userAgentEnd,
} from '../binding/binding.ts';
import { IMAGE_STATIC } from '../binding/image-layout.ts';
import type { FlowLiveness } from '../binding/live-flow.ts';
import type { Exchange } from '../uas/exchange.ts';
import { PHRASE } from '../uas/phrases.ts';
import { endResponse, fits, startResponse } from '../uas/response.ts';
import { readDispositions, readPreferences } from './caller-preferences.ts';
import { applyPreferences } from './preferred-targets.ts';
import { type TargetFilter, Targets } from './targets.ts';

const CONTACT = ascii('Contact: ');
const EXPIRES = ascii(';expires=');
const ROUTE = ascii('?Route=');
const AND_ROUTE = ascii('&Route=');
/** RFC 5630 §5.4. */
const SIPS_NOT_ALLOWED = ascii('Warning: 380 aorta "SIPS Not Allowed"\r\n');
const CRLF = ascii('\r\n');
const ACCEPT_CONTACT = ascii('accept-contact');
const REJECT_CONTACT = ascii('reject-contact');
const DISPOSITION = ascii('request-disposition');
const METHODS = ascii('methods=');
const EVENTS = ascii('events=');
const HEX = ascii('0123456789ABCDEF');
const SIPS = ascii('sips:');
const QUESTION_MARK = 0x3f;
const AT_SIGN = 0x40;
/** Seconds that the caller may keep a contact that never expires. */
const STATIC_S = 3600;

/** Characters that need no escape in a header of a URI (RFC 3261 §25.1: hnv-unreserved and unreserved). */
const PLAIN = setOf("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.!~*'()[]/?:+$");

export class RedirectServer {
  private readonly targets = new Targets();
  private readonly flows: FlowLiveness | null;
  private readonly uri = new Int32Array(URI_INTS);

  constructor(flows: FlowLiveness | null) {
    this.flows = flows;
  }

  /**
   * 302 with the contacts of the AOR whose images are in the exchange, if the filter and the caller's preferences (RFC 3841) allow them,
   * or a refusal; 0 and nothing written where there are none. A sips request gets only sips contacts, since others would lower its
   * security (RFC 5630 §5.4).
   */
  answer(exchange: Exchange, asked: TargetFilter | null): number {
    const { targets } = this;
    const { state, stateAt, stateEnd, now } = exchange.request;
    const { answer } = exchange.result;
    targets.collect(state, stateAt, stateEnd, now, asked, this.flows);
    if (targets.count === 0) return 0;
    if (this.hasPreferences(state) && !this.prefer(state)) return refuse(exchange, 400);
    if (targets.count === 0) return refuse(exchange, 480);
    const secure = table[T_REQUEST_URI + URI_SCHEME] === SCHEME_SIPS;
    startResponse(exchange, 302, PHRASE[302]);
    let listed = 0;
    let insecure = 0;
    let isFull = false;
    for (let i = 0; i < targets.count && !isFull; i++) {
      const image = targets.image[i];
      if (secure && !isSips(state, uriAt(state, image))) insecure++;
      else if (!this.isRequestUri(state, uriAt(state, image), uriEnd(state, image))) {
        const { at } = answer;
        writeContact(answer, state, image, now);
        isFull = !fits(exchange.result);
        if (isFull) answer.at = at;
        else listed++;
      }
    }
    if (listed === 0) return this.refuseAll(exchange, insecure, isFull);
    endResponse(exchange);
    return 302;
  }

  /** Refuses where there is no contact: 480 for a known user, else 404. */
  refuse(exchange: Exchange, userIsKnown: boolean): number {
    return refuse(exchange, userIsKnown ? 480 : 404);
  }

  /** Whether the request, or the features of a contact, make preferences apply (RFC 3841 §7.2). */
  private hasPreferences(bytes: Uint8Array): boolean {
    for (let row = table[T_FIRST_ROW + H_OTHER]; row >= 0; row = table[T_ROWS + row * ROW_INTS + ROW_NEXT])
      if (isPreference(table[T_ROWS + row * ROW_INTS + ROW_NAME_AT], table[T_ROWS + row * ROW_INTS + ROW_NAME_END]))
        return true;
    const { image, count } = this.targets;
    for (let i = 0; i < count; i++)
      if (saysWhatItTakes(bytes, uriEnd(bytes, image[i]), paramsEnd(bytes, image[i]))) return true;
    return false;
  }

  /** Applies the caller's preferences; false where they exceed the limits of a query. @cold */
  private prefer(bytes: Uint8Array): boolean {
    const { targets } = this;
    const preferences = readPreferences();
    if (preferences === null) return false;
    applyPreferences(targets, bytes, preferences);
    if (targets.count > 1 && readDispositions().has('no-fork')) targets.count = 1;
    return true;
  }

  /** Refuses where the answer may name none of the bindings: too long, a loop (§8.3), or not secure enough. */
  private refuseAll(exchange: Exchange, insecure: number, isFull: boolean): number {
    const { answer } = exchange.result;
    answer.start(answer.bytes, answer.from, answer.limit);
    if (isFull) return refuse(exchange, 480);
    if (insecure === 0) return refuse(exchange, 404);
    startResponse(exchange, 480, PHRASE[480]);
    answer.text(SIPS_NOT_ALLOWED);
    endResponse(exchange);
    return 480;
  }

  /** Whether the contact in bytes[at, end) equals the Request-URI. Rarely so, and as a rule its host is another. */
  private isRequestUri(bytes: Uint8Array, at: number, end: number): boolean {
    if (!hasRequestHost(bytes, at, end)) return false;
    parseUri(bytes, at, end, this.uri, 0);
    const scheme = this.uri[URI_SCHEME];
    if (scheme !== SCHEME_SIP && scheme !== SCHEME_SIPS) return false;
    return uriEquals(slab, table, T_REQUEST_URI, bytes, this.uri, 0);
  }
}

function isSips(bytes: Uint8Array, at: number): boolean {
  return isText(bytes, at, at + SIPS.length, SIPS);
}

/** Whether the host of the Request-URI follows an "@" in bytes[at, end). */
function hasRequestHost(bytes: Uint8Array, at: number, end: number): boolean {
  const host = table[T_REQUEST_URI + URI_HOST_AT];
  const hostEnd = table[T_REQUEST_URI + URI_HOST_END];
  for (let p = at + 1, last = end - (hostEnd - host); p <= last; p++)
    if (bytes[p - 1] === AT_SIGN && sameText(bytes, p, p + hostEnd - host, slab, host, hostEnd)) return true;
  return false;
}

/** Contact of one binding: its URI with the Path as a Route header, its parameters, and its remaining lifetime. */
function writeContact(w: Writer, bytes: Uint8Array, image: number, now: number): void {
  const uri = uriAt(bytes, image);
  w.text(CONTACT);
  if (uri > displayAt(bytes, image)) {
    w.span(bytes, displayAt(bytes, image), uri);
    w.byte(0x20);
  }
  w.byte(0x3c);
  w.span(bytes, uri, uriEnd(bytes, image));
  writeRoute(w, bytes, image);
  w.byte(0x3e);
  w.span(bytes, uriEnd(bytes, image), paramsEnd(bytes, image));
  // With less than a second left, without expires: a contact without it is valid for this one request (§21.3.3).
  const left = Math.floor((expiresAtOf(bytes, image) - now) / 1000);
  const seconds = hasFlag(bytes, image, IMAGE_STATIC) ? STATIC_S : left;
  if (seconds >= 1) {
    w.text(EXPIRES);
    w.number(seconds);
  }
  w.text(CRLF);
}

/** RFC 3327 §5.4: a request to the contact follows its Path. */
function writeRoute(w: Writer, bytes: Uint8Array, image: number): void {
  const end = pathEnd(bytes, image);
  let at = userAgentEnd(bytes, image);
  if (end <= at) return;
  w.text(hasHeaders(bytes, uriAt(bytes, image), uriEnd(bytes, image)) ? AND_ROUTE : ROUTE);
  for (; at < end; at++) {
    const byte = bytes[at];
    if (PLAIN[byte] === 1) w.byte(byte);
    else {
      w.byte(0x25);
      w.byte(HEX[byte >> 4]);
      w.byte(HEX[byte & 15]);
    }
  }
}

/** Accept-Contact, Reject-Contact, Request-Disposition, or their compact forms. */
function isPreference(at: number, end: number): boolean {
  if (end - at === 1) {
    const letter = slab[at] | 0x20;
    return letter === 0x61 || letter === 0x6a || letter === 0x64; // a, j, d
  }
  return (
    isText(slab, at, end, ACCEPT_CONTACT) || isText(slab, at, end, REJECT_CONTACT) || isText(slab, at, end, DISPOSITION)
  );
}

/** Whether feature parameters in bytes[at, end) name methods or events, which are compared with the request's method. */
function saysWhatItTakes(bytes: Uint8Array, at: number, end: number): boolean {
  for (let p = at; p < end; p++) {
    if (bytes[p] !== SEMICOLON) continue;
    if (isText(bytes, p + 1, p + 1 + METHODS.length, METHODS) || isText(bytes, p + 1, p + 1 + EVENTS.length, EVENTS))
      return true;
  }
  return false;
}

function hasHeaders(bytes: Uint8Array, at: number, end: number): boolean {
  for (let p = at; p < end; p++) if (bytes[p] === QUESTION_MARK) return true;
  return false;
}

function refuse(exchange: Exchange, status: number): number {
  startResponse(exchange, status, PHRASE[status]);
  endResponse(exchange);
  return status;
}

/** @cold */
function setOf(characters: string): Uint8Array {
  const set = new Uint8Array(256);
  for (let i = 0; i < characters.length; i++) set[characters.charCodeAt(i)] = 1;
  return set;
}
