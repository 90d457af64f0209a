// The dialog of a subscription (RFC 3261 §12.1.1, RFC 6665 §4.4): read from the SUBSCRIBE in the table, and its NOTIFY requests.
// Texts hold one byte a character, as received.

import { splitValues } from '../../sip/message/params.ts';
import { slab, table } from '../../sip/parser/slab.ts';
import {
  ABSENT,
  ADDRESS_AT,
  ADDRESS_END,
  ADDRESS_TAG_AT,
  ADDRESS_TAG_END,
  H_EVENT,
  H_RECORD_ROUTE,
  ROW_INTS,
  ROW_NEXT,
  ROW_VALUE_AT,
  ROW_VALUE_END,
  SCHEME_SIPS,
  T_CALL_ID_AT,
  T_CALL_ID_END,
  T_CONTACTS,
  T_CSEQ,
  T_FIRST_ROW,
  T_FROM,
  T_REQUEST_URI,
  T_ROWS,
  T_TO,
  URI_AT,
  URI_END,
  URI_SCHEME,
} from '../../sip/parser/span-table.ts';
import { aorUri } from './contact-elements.ts';

export interface Dialog {
  readonly callId: string;
  /** The notifier's tag, and the whole From of its requests. */
  readonly localTag: string;
  readonly local: string;
  /** The subscriber's tag, and the whole To. */
  readonly remoteTag: string;
  readonly remote: string;
  /** Target of requests: the subscriber's Contact. */
  readonly target: string;
  /** Route values, the first hop first. */
  readonly routes: readonly string[];
  /** The notifier's Contact. */
  readonly contact: string;
  /** As the SUBSCRIBE has it: `reg`, perhaps with an `id`. */
  readonly event: string;
  /** CSeq of the subscriber's last request. */
  readonly remoteCseq: number;
}

/** All values of the header rows with an id, as one list; undefined where there is none. */
export function rowsText(id: number): string | undefined {
  const values: string[] = [];
  for (let row = table[T_FIRST_ROW + id]; row !== ABSENT; row = table[T_ROWS + row * ROW_INTS + ROW_NEXT]) {
    const at = T_ROWS + row * ROW_INTS;
    values.push(textOf(table[at + ROW_VALUE_AT], table[at + ROW_VALUE_END]));
  }
  return values.length === 0 ? undefined : values.join(',');
}

/** slab[at, end), one character a byte; empty where it is absent. */
export function textOf(at: number, end: number): string {
  return at < 0 ? '' : Buffer.from(slab.buffer, slab.byteOffset + at, end - at).toString('latin1');
}

/** The request's Call-ID, To tag and From tag, which name an existing dialog. */
export function dialogNames(): Pick<Dialog, 'callId' | 'localTag' | 'remoteTag'> {
  return {
    callId: textOf(table[T_CALL_ID_AT], table[T_CALL_ID_END]),
    localTag: textOf(table[T_TO + ADDRESS_TAG_AT], table[T_TO + ADDRESS_TAG_END]),
    remoteTag: textOf(table[T_FROM + ADDRESS_TAG_AT], table[T_FROM + ADDRESS_TAG_END]),
  };
}

/** Bytes of the request that a dialog would keep. */
export function dialogBytes(): number {
  const { callId } = dialogNames();
  const kept = [
    textOf(table[T_TO + ADDRESS_AT], table[T_TO + ADDRESS_END]),
    targetOf(),
    rowsText(H_RECORD_ROUTE),
    rowsText(H_EVENT),
  ];
  const from = textOf(table[T_FROM + ADDRESS_AT], table[T_FROM + ADDRESS_END]);
  return kept.reduce((sum, text) => sum + (text?.length ?? 0), callId.length + from.length);
}

/**
 * The dialog that the SUBSCRIBE in the table makes; the request has one Contact.
 * @param localTag of its answer @param contact the notifier's
 */
export function newDialog(localTag: string, contact: string, event: string): Dialog {
  const to = textOf(table[T_TO + ADDRESS_AT], table[T_TO + ADDRESS_END]).replace(/;\s*tag\s*=?\s*(?=;|$)/i, '');
  return {
    ...dialogNames(),
    localTag,
    local: `${to};tag=${localTag}`,
    remote: textOf(table[T_FROM + ADDRESS_AT], table[T_FROM + ADDRESS_END]),
    target: targetOf(),
    routes: splitValues(rowsText(H_RECORD_ROUTE) ?? ''),
    contact,
    event,
    remoteCseq: table[T_CSEQ] >>> 0,
  };
}

/** The dialog after a later SUBSCRIBE in it. The Contact may be another; the route set stays (§12.2.2). */
export function refreshedDialog(dialog: Dialog): Dialog {
  return { ...dialog, target: targetOf(), remoteCseq: table[T_CSEQ] >>> 0 };
}

/**
 * The notifier's Contact in a dialog that the SUBSCRIBE in the table makes: a GRUU (RFC 6665 §4.5.1).
 * @param aor canonical @param instance the notifier's
 */
export function notifierContact(aor: Uint8Array, instance: string): string {
  return `<${aorUri(aor, cameBySips() ? 'sips' : 'sip')};gr=${instance}>`;
}

/** RFC 3261 §12.1.1. */
function cameBySips(): boolean {
  if (table[T_REQUEST_URI + URI_SCHEME] === SCHEME_SIPS) return true;
  const [next] = splitValues(rowsText(H_RECORD_ROUTE) ?? '');
  return /^sips:/i.test(next === undefined ? targetOf() : uriOfRoute(next));
}

function targetOf(): string {
  return textOf(table[T_CONTACTS + URI_AT], table[T_CONTACTS + URI_END]);
}

export interface Notify {
  readonly dialog: Dialog;
  /** `SIP/2.0/UDP 192.0.2.20:5060`. */
  readonly via: string;
  readonly branch: string;
  readonly cseq: number;
  /** `active;expires=600`, `terminated;reason=timeout`. */
  readonly state: string;
  /** A reginfo document. */
  readonly body: string;
}

export function writeNotify({ dialog, via, branch, cseq, state, body }: Notify): Buffer {
  const { target, routes, local, remote, callId, contact, event } = dialog;
  const [uri, rows] = routing(target, routes);
  const content = Buffer.from(body);
  const head = [
    `NOTIFY ${uri} SIP/2.0`,
    `Via: ${via};branch=${branch};rport`,
    ...rows.map((route) => `Route: ${route}`),
    'Max-Forwards: 70',
    `From: ${local}`,
    `To: ${remote}`,
    `Call-ID: ${callId}`,
    `CSeq: ${cseq} NOTIFY`,
    `Contact: ${contact}`,
    `Event: ${event}`,
    `Subscription-State: ${state}`,
    'Content-Type: application/reginfo+xml',
    `Content-Length: ${content.length}`,
    '\r\n',
  ].join('\r\n');
  return Buffer.concat([Buffer.from(head, 'latin1'), content]);
}

/** Request-URI and Route of requests in the dialog (RFC 3261 §12.2.1.1). */
function routing(target: string, routes: readonly string[]): [string, readonly string[]] {
  const [first, ...others] = routes;
  if (first === undefined || isLoose(first)) return [target, routes];
  // A strict router expects itself in the Request-URI, which may have neither a method nor headers.
  const uri = uriOfRoute(first)
    .replace(/\?.*$/, '')
    .replace(/;method=[^;]*/i, '');
  return [uri, [...others, `<${target}>`]];
}

function isLoose(route: string): boolean {
  return /;\s*lr\s*(=[^;?]*)?(;|\?|$)/i.test(uriOfRoute(route));
}

/** The URI between the brackets. */
function uriOfRoute(route: string): string {
  return /<([^>]*)>/.exec(route)?.[1] ?? route;
}
