// Registration information (RFC 3680 §5, with RFC 5628's public GRUUs): the body of a NOTIFY of the event package `reg`. Plain data
// in, an XML document out.

/** The event that led to a contact's state (RFC 3680 §4.7.1). */
export type ContactEvent =
  | 'registered'
  | 'created'
  | 'refreshed'
  | 'shortened'
  | 'expired'
  | 'deactivated'
  | 'probation'
  | 'unregistered'
  | 'rejected';

export interface ContactElement {
  /** The same for one contact in all documents. */
  readonly id: string;
  readonly event: ContactEvent;
  readonly uri: string;
  readonly displayName?: string;
  /** Epoch ms. Absent: it never expires. */
  readonly expiresAt?: number;
  /** Epoch ms. */
  readonly registeredAt?: number;
  /** Of `probation`: seconds after which the phone may try again. */
  readonly retryAfterS?: number;
  readonly q?: string;
  readonly callId?: string;
  readonly cseq?: number;
  /** Parameters of the contact beyond RFC 3261, in the spelling of the phone. */
  readonly params: readonly (readonly [name: string, value: string])[];
  readonly publicGruu?: string;
}

export interface Reginfo {
  readonly version: number;
  readonly state: 'full' | 'partial';
  /** The AOR as a URI, and its id in the subscription. */
  readonly aor: string;
  readonly id: string;
  readonly registration: 'init' | 'active' | 'terminated';
  readonly contacts: readonly ContactElement[];
}

const ACTIVE: readonly ContactEvent[] = ['registered', 'created', 'refreshed', 'shortened'];
/** Characters that XML 1.0 cannot represent. */
const UNSPEAKABLE = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]|\p{Cs}/gu;
const ESCAPES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

function isActive(event: ContactEvent): boolean {
  return ACTIVE.includes(event);
}

/** Without white space, which costs bytes over UDP and confuses Kamailio. @param now epoch ms: the origin of relative times */
export function writeReginfo({ version, state, aor, id, registration, contacts }: Reginfo, now: number): string {
  const inner = contacts.map((contact) => contactElement(contact, now)).join('');
  return (
    '<?xml version="1.0" encoding="UTF-8"?>\n' +
    '<reginfo xmlns="urn:ietf:params:xml:ns:reginfo" xmlns:gr="urn:ietf:params:xml:ns:gruuinfo"' +
    `${attributes({ version, state })}>` +
    `<registration${attributes({ aor, id, state: registration })}>${inner}</registration></reginfo>\n`
  );
}

function contactElement(contact: ContactElement, now: number): string {
  const { id, event, uri, displayName, expiresAt, registeredAt, retryAfterS, q, callId, cseq } = contact;
  const active = isActive(event);
  const given = attributes({
    id,
    state: active ? 'active' : 'terminated',
    event,
    // Also for ended contacts: Kamailio reads no contact without it.
    expires: active ? expiresAt && secondsFrom(now, expiresAt) : 0,
    'retry-after': event === 'probation' ? (retryAfterS ?? 0) : undefined,
    'duration-registered': registeredAt === undefined ? undefined : secondsFrom(registeredAt, now),
    q,
    callid: callId,
    cseq,
  });
  const display = displayName === undefined ? '' : `<display-name>${escaped(displayName)}</display-name>`;
  const params = contact.params.map(
    ([name, value]) => `<unknown-param${attributes({ name })}>${escaped(value)}</unknown-param>`,
  );
  const gruu = contact.publicGruu === undefined ? '' : `<gr:pub-gruu${attributes({ uri: contact.publicGruu })}/>`;
  return `<contact${given}><uri>${escaped(uri)}</uri>${display}${params.join('')}${gruu}</contact>`;
}

function secondsFrom(from: number, to: number): number {
  return Math.max(0, Math.floor((to - from) / 1000));
}

function attributes(values: Readonly<Record<string, string | number | undefined>>): string {
  return Object.entries(values)
    .map(([name, value]) => (value === undefined ? '' : ` ${name}="${escaped(String(value))}"`))
    .join('');
}

function escaped(text: string): string {
  return text.replace(UNSPEAKABLE, '').replace(/[&<>"]/g, (character) => ESCAPES[character]);
}
