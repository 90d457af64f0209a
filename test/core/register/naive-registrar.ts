// RFC 3261 §10.3, with the flows of RFC 5626 §6 and the lives of RFC 5627's temporary GRUUs, as a child would write it: maps, strings and objects, one AOR at a time, no regard for speed.
// The core must give what this gives. It shares no code with it.

export interface NaiveContact {
  readonly uri: string;
  /** The expires parameter as text, or undefined. */
  readonly expires?: string | undefined;
  /** A urn:uuid:…; its case does not matter. */
  readonly instance?: string | undefined;
  readonly regId?: number | undefined;
}

export interface NaiveRequest {
  readonly callId: string;
  readonly cseq: number;
  readonly contacts: readonly NaiveContact[];
  readonly star?: boolean | undefined;
  readonly expires?: string | undefined;
}

interface NaiveBinding {
  uri: string;
  callId: string;
  cseq: number;
  expiresAt: number;
  refreshedAt: number;
  instance: string | undefined;
  /** Where it is a flow. */
  regId: number | undefined;
}

export interface NaiveAnswer {
  readonly status: number;
  readonly bindings: readonly { readonly uri: string; readonly expires: number }[];
}

const MIN = 60;
const MAX = 7200;
const DEFAULT = 3600;
export const NAIVE_CONTACTS_MAX = 4;

/** The bindings of one AOR. */
export class NaiveRegistrar {
  private bindings: NaiveBinding[] = [];
  /** By instance: the number of its life. Temporary GRUUs are valid in the life in which they were made. */
  readonly lives = new Map<string, number>();
  private nextLife = 1;

  register(request: NaiveRequest, now: number): NaiveAnswer {
    this.settle(this.bindings.filter((binding) => binding.expiresAt > now));
    const before = this.bindings.length;
    if (request.star && (request.contacts.length > 0 || request.expires === undefined || Number(request.expires) !== 0))
      return refusal(400);
    const wanted = request.contacts.map((contact) => ({ ...contact, seconds: seconds(contact, request) }));
    if (wanted.some(({ seconds: s }) => s > 0 && s < MIN)) return refusal(423);
    const staying = wanted.filter(({ seconds: s }) => s > 0);
    // RFC 5630 §5.2: the model's requests have a sip Request-URI.
    if (staying.some(({ uri }) => uri.startsWith('sips:'))) return refusal(400);
    if (staying.length > 1 && staying.some((contact) => flowOf(contact) !== undefined)) return refusal(400);

    const late = (binding: NaiveBinding): boolean => binding.callId === request.callId && binding.cseq >= request.cseq;
    if (request.star) {
      if (this.bindings.some(late)) return refusal(500);
      this.settle([]);
      return this.answer(now);
    }
    const next = [...this.bindings];
    const mine = new Set<NaiveBinding>();
    for (const contact of staying) {
      const { uri, seconds: s } = contact;
      const i = next.findIndex((binding) => isSame(binding, contact));
      if (i >= 0 && !mine.has(next[i]) && late(next[i])) return refusal(500);
      const binding: NaiveBinding = {
        uri,
        callId: request.callId,
        cseq: request.cseq,
        expiresAt: now + Math.min(s, MAX) * 1000,
        refreshedAt: now,
        instance: contact.instance?.toLowerCase(),
        regId: flowOf(contact)?.regId,
      };
      mine.add(binding);
      if (i >= 0) next[i] = binding;
      else next.push(binding);
    }
    // A zero names a binding of before; where its flow is this request's now, by its URI.
    for (const contact of wanted.filter(({ seconds: s }) => s === 0)) {
      const isTaken = flowOf(contact) !== undefined && [...mine].some((binding) => isSame(binding, contact));
      const named = isTaken ? { uri: contact.uri } : contact;
      const i = next.findIndex((binding) => !mine.has(binding) && isSame(binding, named));
      if (i >= 0 && late(next[i])) return refusal(500);
      if (i >= 0) next.splice(i, 1);
    }
    while (next.length > NAIVE_CONTACTS_MAX && next.length > before) {
      const others = next.filter((binding) => !mine.has(binding));
      if (others.length === 0) return refusal(403);
      const oldest = others.reduce((a, b) => (b.refreshedAt < a.refreshedAt ? b : a));
      next.splice(next.indexOf(oldest), 1);
    }
    for (const binding of mine) if (next.includes(binding)) this.live(binding, request.callId);
    this.settle(next);
    return this.answer(now);
  }

  /** RFC 5627 §5.1: another Call-ID than that of the newest contact begins a new life; so does the first contact. */
  private live({ instance, regId }: NaiveBinding, callId: string): void {
    if (instance === undefined) return;
    const before = this.bindings
      .filter((old) => old.instance === instance && (regId === undefined || old.regId === regId))
      .reduce<NaiveBinding | undefined>(
        (a, b) => (a !== undefined && a.refreshedAt > b.refreshedAt ? a : b),
        undefined,
      );
    if (!this.lives.has(instance) || (before !== undefined && before.callId !== callId))
      this.lives.set(instance, this.nextLife++);
  }

  /** §5.3: without contacts an instance has no life. */
  private settle(bindings: NaiveBinding[]): void {
    this.bindings = bindings;
    for (const instance of this.lives.keys())
      if (!bindings.some((binding) => binding.instance === instance)) this.lives.delete(instance);
  }

  private answer(now: number): NaiveAnswer {
    return {
      status: 200,
      bindings: this.bindings.map(({ uri, expiresAt }) => ({
        uri,
        expires: Math.max(1, Math.floor((expiresAt - now) / 1000)),
      })),
    };
  }
}

/** RFC 5626 §6: what names a flow. */
function flowOf({ instance, regId }: NaiveContact): { instance: string; regId: number } | undefined {
  return instance === undefined || regId === undefined ? undefined : { instance: instance.toLowerCase(), regId };
}

function isSame(binding: NaiveBinding, contact: NaiveContact): boolean {
  const flow = flowOf(contact);
  if (flow !== undefined) return binding.regId === flow.regId && binding.instance === flow.instance;
  return binding.regId === undefined && equalUris(binding.uri, contact.uri);
}

function refusal(status: number): NaiveAnswer {
  return { status, bindings: [] };
}

function seconds(contact: NaiveContact, request: NaiveRequest): number {
  if (contact.expires !== undefined) return /^\d+$/.test(contact.expires) ? Number(contact.expires) : 3600;
  if (request.expires !== undefined && /^\d+$/.test(request.expires)) return Number(request.expires);
  return DEFAULT;
}

interface NaiveUri {
  readonly scheme: string;
  readonly user: string | undefined;
  readonly hostPort: string;
  readonly params: ReadonlyMap<string, string>;
  readonly headers: string;
}

function parsed(uri: string): NaiveUri {
  const match = /^(sips?):(?:([^@]*)@)?([^;?]*)((?:;[^;?]*)*)(\?.*)?$/i.exec(uri);
  if (!match) throw new Error(`not for this model: ${uri}`);
  const params = new Map<string, string>();
  for (const param of match[4].split(';').slice(1)) {
    const [name, value = ''] = param.split('=');
    params.set(unescaped(name).toLowerCase(), unescaped(value).toLowerCase());
  }
  const headers = (match[5] ?? '')
    .slice(1)
    .split('&')
    .map((header) => unescaped(header).toLowerCase());
  return {
    scheme: match[1].toLowerCase(),
    user: match[2] === undefined ? undefined : unescaped(match[2]),
    hostPort: match[3].toLowerCase(),
    params,
    headers: headers.sort().join('&'),
  };
}

/** Only of characters that need no escape: the model's URIs hold no others. */
function unescaped(text: string): string {
  return text.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

/** §19.1.4. */
export function equalUris(a: string, b: string): boolean {
  const x = parsed(a);
  const y = parsed(b);
  if (x.scheme !== y.scheme || x.user !== y.user || x.hostPort !== y.hostPort || x.headers !== y.headers) return false;
  for (const name of new Set([...x.params.keys(), ...y.params.keys()])) {
    const inBoth = x.params.has(name) && y.params.has(name);
    if (inBoth && x.params.get(name) !== y.params.get(name)) return false;
    if (!inBoth && ['user', 'ttl', 'method', 'maddr', 'transport'].includes(name)) return false;
  }
  return true;
}
