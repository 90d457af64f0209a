// A subscriber to registration events (RFC 3680) for tests: its SUBSCRIBEs as text, NOTIFYs read back, and the table that RFC 3680 §5.2 has it
// keep. The XML reader takes what the schema of RFC 3680 §5.3 allows, and throws at everything else.

import { header, headers, newBranch, sip } from './sip-client.ts';

export interface SubscribeFields {
  readonly uri?: string;
  readonly to?: string;
  readonly from?: string;
  readonly callId?: string;
  readonly cseq?: number;
  readonly via?: string;
  /** Null: none. */
  readonly event?: string | null;
  readonly contact?: string | null;
  readonly accept?: string;
  readonly expires?: number;
  readonly headers?: readonly string[];
}

/** A SUBSCRIBE to alice@example.com, changed where `fields` say so. */
export function subscribe(fields: SubscribeFields = {}): string {
  const { event = 'reg', contact = '<sip:watcher@192.0.2.9:5070>', expires, accept } = fields;
  return sip([
    `SUBSCRIBE ${fields.uri ?? 'sip:alice@example.com'} SIP/2.0`,
    `Via: ${fields.via ?? `SIP/2.0/UDP 192.0.2.9:5060;branch=${newBranch()};rport`}`,
    'Max-Forwards: 70',
    `From: ${fields.from ?? '<sip:alice@example.com>;tag=w1'}`,
    `To: ${fields.to ?? '<sip:alice@example.com>'}`,
    `Call-ID: ${fields.callId ?? 'watch-1'}`,
    `CSeq: ${fields.cseq ?? 1} SUBSCRIBE`,
    ...(contact === null ? [] : [`Contact: ${contact}`]),
    ...(event === null ? [] : [`Event: ${event}`]),
    ...(accept === undefined ? [] : [`Accept: ${accept}`]),
    ...(expires === undefined ? [] : [`Expires: ${expires}`]),
    ...(fields.headers ?? []),
  ]);
}

/** A response to a request, as a user agent writes it. */
export function responseTo(request: string, status = 200, more: readonly string[] = []): string {
  return sip([
    `SIP/2.0 ${status} ${status < 300 ? 'OK' : 'No'}`,
    ...headers(request, 'Via').map((via) => `Via: ${via}`),
    `From: ${header(request, 'From')}`,
    `To: ${header(request, 'To')}`,
    `Call-ID: ${header(request, 'Call-ID')}`,
    `CSeq: ${header(request, 'CSeq')}`,
    ...more,
  ]);
}

export interface Notified {
  readonly text: string;
  readonly requestUri: string;
  readonly cseq: number;
  /** Subscription-State, whole. */
  readonly subscription: string;
  readonly reginfo: Reginfo;
}

export function readNotify(text: string): Notified {
  const [, requestUri] = /^NOTIFY (\S+) SIP\/2\.0\r\n/.exec(text) ?? [];
  const at = text.indexOf('\r\n\r\n') + 4;
  if (requestUri === undefined) throw new Error(`no NOTIFY:\n${text}`);
  if (Number(header(text, 'Content-Length')) !== text.length - at) throw new Error(`wrong length:\n${text}`);
  if (header(text, 'Content-Type') !== 'application/reginfo+xml') throw new Error(`wrong type:\n${text}`);
  return {
    text,
    requestUri,
    cseq: Number(header(text, 'CSeq')?.split(' ')[0]),
    subscription: header(text, 'Subscription-State') ?? '',
    reginfo: readReginfo(Buffer.from(text.slice(at), 'latin1').toString('utf8')),
  };
}

export interface Contact {
  readonly id: string;
  readonly state: string;
  readonly event: string;
  readonly uri: string;
  readonly displayName?: string;
  readonly gruu?: string;
  /** All attributes. */
  readonly attributes: Readonly<Record<string, string>>;
  readonly params: Readonly<Record<string, string>>;
}

export interface Reginfo {
  readonly version: number;
  readonly state: string;
  readonly aor: string;
  readonly id: string;
  readonly registration: string;
  readonly contacts: readonly Contact[];
}

export interface Element {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: readonly Element[];
  readonly text: string;
}

const TOKEN = /<\?xml version="1\.0" encoding="UTF-8"\?>|<(\/?)([a-z:-]+)((?: [a-z:-]+="[^"<]*")*) ?(\/?)>|([^<]+)/gy;
const ENTITY: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"' };

/** Strictly: one root, tags that match, no bare `&`. */
export function readXml(xml: string): Element {
  const root: Open = { name: '', attributes: {}, children: [], text: '' };
  const open = [root];
  let end = 0;
  for (const [token, close, name, attributes, empty, text] of xml.matchAll(TOKEN)) {
    end += token.length;
    const inner = open[open.length - 1];
    if (text !== undefined) inner.text += decoded(text);
    else if (close === '/') {
      if (open.pop()?.name !== name) throw new Error(`${token} closes nothing:\n${xml}`);
    } else if (name !== undefined) {
      const element: Open = { name, attributes: readAttributes(attributes), children: [], text: '' };
      inner.children.push(element);
      if (empty === '') open.push(element);
    } else if (end !== token.length) throw new Error(`a declaration that is not the first:\n${xml}`);
  }
  if (end !== xml.length || open.length !== 1 || root.children.length !== 1 || root.text.trim() !== '')
    throw new Error(`not well formed at ${end}:\n${xml}`);
  return root.children[0];
}

interface Open extends Element {
  readonly children: Open[];
  text: string;
}

function decoded(text: string): string {
  if (/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/.test(text))
    throw new Error('a character that XML cannot hold');
  return text.replace(/&([a-z]*;?)/g, (_, name: string) => ENTITY[name.replace(';', '')] ?? unknown(name));
}

function unknown(name: string): never {
  throw new Error(`no entity: &${name}`);
}

function readAttributes(text: string): Record<string, string> {
  return Object.fromEntries(
    [...text.matchAll(/ ([a-z:-]+)="([^"]*)"/g)].map(([, name, value]) => [name, decoded(value)]),
  );
}

const EVENTS = 'registered created refreshed shortened expired deactivated probation unregistered rejected'.split(' ');
const NUMBERS = ['expires', 'retry-after', 'duration-registered', 'cseq'];

/** One registration, by the schema. */
export function readReginfo(xml: string): Reginfo {
  const { name, attributes, children } = readXml(xml);
  const [registration, ...others] = children;
  if (name !== 'reginfo' || attributes.xmlns !== 'urn:ietf:params:xml:ns:reginfo' || others.length > 0)
    throw new Error(`no reginfo:\n${xml}`);
  const { aor, id, state } = registration.attributes;
  if (!/^\d+$/.test(attributes.version) || !/^(full|partial)$/.test(attributes.state) || !aor || !id)
    throw new Error(`attributes are missing:\n${xml}`);
  if (!/^(init|active|terminated)$/.test(state)) throw new Error(`state ${state}`);
  const contacts = registration.children.map((contact) => readContact(contact));
  return { version: Number(attributes.version), state: attributes.state, aor, id, registration: state, contacts };
}

function readContact({ name, attributes, children }: Element): Contact {
  const order = children.map((child) => child.name).join(' ');
  if (name !== 'contact' || !/^uri( display-name)?( unknown-param)*( gr:pub-gruu)?$/.test(order))
    throw new Error(`a contact of ${order}`);
  const { id, state, event } = attributes;
  if (!id || !EVENTS.includes(event) || (state !== 'active' && state !== 'terminated'))
    throw new Error(`a contact with ${JSON.stringify(attributes)}`);
  for (const number of NUMBERS)
    if (attributes[number] !== undefined && !/^\d+$/.test(attributes[number]))
      throw new Error(`${number} is no number`);
  const params = children.filter((child) => child.name === 'unknown-param');
  const display = children.find((child) => child.name === 'display-name');
  const gruu = children.find((child) => child.name === 'gr:pub-gruu');
  return {
    ...{ id, state, event, attributes, uri: children[0].text },
    ...(display && { displayName: display.text }),
    ...(gruu && { gruu: gruu.attributes.uri }),
    params: Object.fromEntries(params.map((param) => [param.attributes.name, param.text])),
  };
}

/** What a subscriber knows (RFC 3680 §5.2): contacts by id. Throws where a version is missing. */
export class ReginfoTable {
  version = -1;
  readonly contacts = new Map<string, Contact>();

  apply({ version, state, contacts }: Reginfo): void {
    if (version !== this.version + 1) throw new Error(`version ${version} behind ${this.version}`);
    this.version = version;
    if (state === 'full') this.contacts.clear();
    for (const contact of contacts) {
      if (contact.state === 'active') this.contacts.set(contact.id, contact);
      else this.contacts.delete(contact.id);
    }
  }
}
