// Bindings of another registrar: a row of its table `location` (Kamailio's, OpenSIPS's), or one made by location-sources, becomes the
// REGISTER that would make the binding. So the registrar's own rules decide about it.

import { isIP } from 'node:net';
import type { MessageSource } from '../../server/embed/message-source.ts';
import { placeOf } from './contact-text.ts';
import type { TableRow } from './csv-and-sql.ts';
import { momentIn } from './time-zone.ts';

const PERMANENT: LeftOut = { rule: 'permanent: add it as a static binding' };
/** Kamailio's db_sqlite keeps dates as Julian days, in UTC. */
const JULIAN_1970 = 2_440_587.5;
const TOKEN = /^[^\s<>",;]+$/;

export interface ImportContext {
  /** Domain of AORs without one (use_domain off). */
  readonly domain?: string;
  /** Zone of dates without one, in the form of zoneOf. */
  readonly zone: number | undefined;
  /** Epoch ms. */
  readonly now: number;
}

export interface ImportedBinding {
  readonly message: string;
  readonly source: MessageSource;
  /** `alice@example.com` */
  readonly aor: string;
  readonly contact: string;
  readonly callId: string;
  readonly cseq: number;
}

/** A sound row that is left out by rule. */
export interface LeftOut {
  readonly rule: string;
}

/** The binding of a row, or the reason why there is none: a text is a fault of the row. @param sequence differs between rows */
export function bindingOf(row: TableRow, sequence: number, context: ImportContext): ImportedBinding | LeftOut | string {
  if (row.broken !== undefined) return row.broken;
  if (row.rule !== undefined) return { rule: row.rule };
  const { fields } = row;
  const aor = aorOf(fields, context.domain);
  if (typeof aor !== 'string') return aor.reason;
  const contact = fields.get('contact');
  if (contact === undefined) return 'no contact';
  if (!/^sips?:[^\s<>"]+$/i.test(contact)) return `the contact is no SIP URI: ${contact}`;
  const seconds = secondsLeft(fields, context);
  if (typeof seconds !== 'number') return seconds;
  const source = sourceOf(fields, contact);
  if (typeof source === 'string' || 'rule' in source) return source;
  const given = fields.get('callid') ?? '';
  const callId = TOKEN.test(given) ? given : `import-${sequence}`;
  const number = Number(fields.get('cseq') ?? 1);
  const cseq = Number.isInteger(number) && number >= 0 && number < 2 ** 31 ? number : 1;
  const message = registerOf(fields, { aor, contact, seconds, sequence, source, callId, cseq });
  return { aor, contact, source, callId, cseq, message };
}

function aorOf(fields: ReadonlyMap<string, string>, defaultDomain: string | undefined): string | { reason: string } {
  const name = (fields.get('aor') ?? fields.get('username') ?? '').replace(/^sips?:/i, '');
  const at = name.lastIndexOf('@');
  const user = at < 0 ? name : name.slice(0, at);
  const domain = at < 0 ? (fields.get('domain') ?? defaultDomain) : name.slice(at + 1);
  if (user === '') return { reason: 'no username' };
  if (domain === undefined) return { reason: 'no domain: name one for such rows with --domain' };
  if (/[\s<>"@]/.test(user) || /[\s<>"@;]/.test(domain))
    return { reason: `"${user}@${domain}" is no address-of-record` };
  return `${user}@${domain}`;
}

/** Remaining seconds of the binding, or the reason why it has none. */
function secondsLeft(fields: ReadonlyMap<string, string>, { now, zone }: ImportContext): number | LeftOut | string {
  const left = fields.get('expires_in');
  if (left !== undefined) {
    if (left === 'permanent') return PERMANENT;
    if (left === 'deleted' || left === 'expired') return { rule: `already ${left}` };
    if (Number(left) > 0) return Number(left);
    return Number.isNaN(Number(left)) ? `expires is no number of seconds: ${left}` : { rule: `no time left (${left})` };
  }
  const expires = fields.get('expires') ?? '';
  if (expires === '0' || /^0000-00-00/.test(expires)) return PERMANENT; // a number, and MySQL's form of no date
  let at: number;
  if (/^[0-9]{9,10}$/.test(expires)) at = Number(expires) * 1000;
  else if (/^24[0-9]{5}(\.[0-9]+)?$/.test(expires)) at = (Number(expires) - JULIAN_1970) * 86_400_000;
  else {
    const date = /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)/.exec(expires);
    if (date === null) return `expires is neither a date nor seconds since 1970: ${expires}`;
    at = momentIn(zone, `${date[1]}T${date[2]}`);
  }
  if (at === 0) return PERMANENT; // 0 again, written as a date
  const seconds = Math.floor((at - now) / 1000);
  return seconds > 0 ? seconds : { rule: 'expired' };
}

/** The source of the binding's requests: the received URI, else the contact itself. */
function sourceOf(fields: ReadonlyMap<string, string>, contact: string): MessageSource | LeftOut | string {
  const received = fields.get('received');
  const uri = received ?? contact;
  const transport = /;transport=(\w+)/i.exec(uri)?.[1].toLowerCase() ?? 'udp';
  // A connection cannot move: its phone must register again, unless a proxy in the Path holds it.
  if (transport !== 'udp' && fields.get('path') === undefined)
    return { rule: `over ${transport}, and the connection stays where it was: the phone registers anew by itself` };
  const place = placeOf(uri);
  const address = place?.host ?? '';
  if (received !== undefined && isIP(address) === 0) return `received names no IP address: ${received}`;
  // Without a received URI only operators see the source.
  return { address: isIP(address) === 0 ? '127.0.0.1' : address, port: place?.port ?? 5060 };
}

interface Asked extends Omit<ImportedBinding, 'message'> {
  readonly seconds: number;
  readonly sequence: number;
}

function registerOf(fields: ReadonlyMap<string, string>, asked: Asked): string {
  const { aor, contact, seconds, sequence, source, callId, cseq } = asked;
  const q = Number(fields.get('q'));
  const instance = fields.get('instance') ?? fields.get('sip_instance');
  const regId = Number(fields.get('reg_id') ?? 0);
  const params = [
    `;expires=${seconds}`,
    q >= 0 && q <= 1 ? `;q=${q}` : '',
    instance === undefined ? '' : `;+sip.instance="${instance.replace(/^"|"$/g, '')}"`,
    instance !== undefined && regId > 0 ? `;reg-id=${regId}` : '',
  ];
  const agent = fields.get('user_agent');
  const path = fields.get('path');
  const host = source.address.includes(':') ? `[${source.address}]` : source.address;
  return [
    `REGISTER sip:${aor.slice(aor.lastIndexOf('@') + 1)} SIP/2.0`,
    `Via: SIP/2.0/UDP ${host}:${source.port};branch=z9hG4bKimport${sequence}`,
    'Max-Forwards: 70',
    // of its own: the contacts of one REGISTER are rows with one Call-ID and CSeq, but no merged requests (RFC 3261 §8.2.2.2)
    `From: <sip:${aor}>;tag=import${sequence}`,
    `To: <sip:${aor}>`,
    `Call-ID: ${callId}`,
    `CSeq: ${cseq} REGISTER`,
    `Contact: <${contact}>${params.join('')}`,
    ...(path === undefined ? [] : [`Path: ${oneLine(path)}`]),
    'Supported: path, outbound, gruu',
    ...(agent === undefined ? [] : [`User-Agent: ${oneLine(agent)}`]),
    'Content-Length: 0',
    '',
    '',
  ].join('\r\n');
}

/** A value of a table must not add header lines of its own. */
function oneLine(text: string): string {
  return text.replace(/[\r\n\0]+/g, ' ');
}
