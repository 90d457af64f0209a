// RFC 3261 §10.3 as a child would write it: maps, strings and objects, one AOR at a time, no regard for speed.
// The core must give what this gives. It shares no code with it.

export interface NaiveContact {
  readonly uri: string;
  /** The expires parameter as text, or undefined. */
  readonly expires?: string | undefined;
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

  register(request: NaiveRequest, now: number): NaiveAnswer {
    this.bindings = this.bindings.filter((binding) => binding.expiresAt > now);
    const before = this.bindings.length;
    if (request.star && (request.contacts.length > 0 || request.expires === undefined || Number(request.expires) !== 0))
      return refusal(400);
    const wanted = request.contacts.map((contact) => ({ ...contact, seconds: seconds(contact, request) }));
    if (wanted.some(({ seconds: s }) => s > 0 && s < MIN)) return refusal(423);

    const late = (binding: NaiveBinding): boolean => binding.callId === request.callId && binding.cseq >= request.cseq;
    if (request.star) {
      if (this.bindings.some(late)) return refusal(500);
      this.bindings = [];
      return this.answer(now);
    }
    const next = [...this.bindings];
    const mine = new Set<NaiveBinding>();
    for (const { uri, seconds: s } of wanted) {
      const i = next.findIndex((binding) => equalUris(binding.uri, uri));
      if (i >= 0 && !mine.has(next[i]) && late(next[i])) return refusal(500);
      if (s === 0) {
        if (i >= 0) next.splice(i, 1);
        continue;
      }
      const binding = { uri, callId: request.callId, cseq: request.cseq, expiresAt: now + Math.min(s, MAX) * 1000 };
      mine.add(binding);
      if (i >= 0) next[i] = binding;
      else next.push(binding);
    }
    if (next.length > NAIVE_CONTACTS_MAX && next.length > before) return refusal(403);
    this.bindings = next;
    return this.answer(now);
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
