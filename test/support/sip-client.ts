// A small UDP SIP client for tests: plain text goes out, the answer to it comes back as text with a few readers on it.
// A request whose answer is awaited is sent again as RFC 3261 §17.1.2 has it: the kernel may drop any datagram.
// It parses no more than the tests ask for.

import { randomBytes } from 'node:crypto';
import { createSocket, type Socket } from 'node:dgram';
import { patience } from './patience.ts';

const ANSWER_MS = 10_000;
const T1_MS = 500;
const T2_MS = 4000;

export interface Answer {
  readonly status: number;
  readonly reason: string;
  /** The whole message, one character per byte. */
  readonly text: string;
  /** Where it came from. */
  readonly address: string;
  readonly port: number;
}

export interface Destination {
  readonly address: string;
  readonly port: number;
}

export interface RegisterFields {
  /** user@host of From and To. */
  readonly aor?: string;
  readonly requestUri?: string;
  readonly to?: string;
  readonly from?: string;
  /** Each becomes a Contact row. */
  readonly contacts?: readonly string[];
  readonly expires?: number | string;
  readonly callId?: string;
  readonly cseq?: number | string;
  readonly branch?: string;
  readonly via?: string;
  /** Further header lines. */
  readonly headers?: readonly string[];
  readonly body?: string;
}

export class SipClient {
  readonly socket: Socket;
  readonly server: Destination;
  /** Everything that came in and was not awaited, without the answers that this client drew twice by sending a request again. */
  readonly inbox: Answer[] = [];
  /** By transaction: how often request() sent it again, and the answer that it had. */
  private readonly sentAgain = new Map<string, { copies: number; status: number }>();
  private readonly waiting: { match: (answer: Answer) => boolean; take: (answer: Answer) => void }[] = [];

  private constructor(socket: Socket, server: Destination) {
    this.socket = socket;
    this.server = server;
    socket.on('message', (bytes, from) => this.arrive(readAnswer(bytes.toString('latin1'), from.address, from.port)));
    socket.on('error', () => {});
  }

  /** Opens a socket on `address` (any free port unless one is named). */
  static open(server: Destination, address = '127.0.0.1', port = 0): Promise<SipClient> {
    const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
    return new Promise((resolve, reject) => {
      socket.once('error', reject);
      socket.bind({ port, address, exclusive: true }, () => {
        socket.off('error', reject);
        resolve(new SipClient(socket, server));
      });
    });
  }

  get port(): number {
    return this.socket.address().port;
  }

  get address(): string {
    return this.socket.address().address;
  }

  /** The address as it stands in URIs and Vias. */
  get host(): string {
    return this.address.includes(':') ? `[${this.address}]` : this.address;
  }

  /** The top Via that this client puts into its requests. */
  via(branch: string = newBranch()): string {
    return `SIP/2.0/UDP ${this.host}:${this.port};branch=${branch};rport`;
  }

  /** Sends bytes as they are; a string is one byte per character. */
  send(message: string | Uint8Array): void {
    const bytes = typeof message === 'string' ? Buffer.from(message, 'latin1') : message;
    this.socket.send(bytes, this.server.port, this.server.address);
  }

  /** Sends it once; resolves when the kernel has it. */
  sent(message: string): Promise<void> {
    const { address, port } = this.server;
    return new Promise((resolve, reject) => {
      this.socket.send(Buffer.from(message, 'latin1'), port, address, (error) => (error ? reject(error) : resolve()));
    });
  }

  /** Sends a request until its answer is there: the one with the same Call-ID, CSeq and top Via branch. */
  async request(message: string, ms = ANSWER_MS * patience()): Promise<Answer> {
    let timerE: NodeJS.Timeout;
    let copies = -1;
    const transmit = (wait: number): void => {
      copies++;
      this.send(message);
      timerE = setTimeout(transmit, wait, Math.min(2 * wait, T2_MS));
    };
    const answered = this.answerTo(message, ms).finally(() => clearTimeout(timerE));
    transmit(T1_MS);
    const answer = await answered;
    if (copies > 0) this.sentAgain.set(transactionOf(message), { copies, status: answer.status });
    return answer;
  }

  answerTo(message: string, ms = ANSWER_MS * patience()): Promise<Answer> {
    const key = transactionOf(message);
    return this.expect((answer) => transactionOf(answer.text) === key, ms, message);
  }

  /** The next message, whatever it is. */
  next(ms = ANSWER_MS * patience()): Promise<Answer> {
    return this.expect(() => true, ms, 'any message');
  }

  /** The next message that may belong to `message`: none with the Call-ID of another request. */
  nextFor(message: string, ms = ANSWER_MS * patience()): Promise<Answer> {
    const belongs = ({ text }: Answer): boolean => message.includes(header(text, 'Call-ID', 'i') ?? '');
    return this.expect(belongs, ms, message);
  }

  /** A REGISTER of this client, as text. */
  register(fields: RegisterFields = {}): string {
    return registerText(fields, this.via(fields.branch));
  }

  /** Any other request of this client, as text. */
  other(method: string, requestUri: string, headers: readonly string[] = [], fields: RegisterFields = {}): string {
    const lines = [
      `${method} ${requestUri} SIP/2.0`,
      `Via: ${fields.via ?? this.via(fields.branch)}`,
      'Max-Forwards: 70',
      `From: ${fields.from ?? `<sip:tester@example.com>;tag=${newToken()}`}`,
      `To: ${fields.to ?? '<sip:alice@example.com>'}`,
      `Call-ID: ${fields.callId ?? newToken()}`,
      `CSeq: ${fields.cseq ?? 1} ${method}`,
      ...headers,
    ];
    return sip(lines, fields.body);
  }

  /** What an AOR has, from a REGISTER without Contact: contact URI → remaining seconds. */
  async fetch(aor = 'alice@example.com'): Promise<Map<string, number>> {
    const answer = await this.request(this.register({ aor }));
    if (answer.status !== 200) throw new Error(`fetch of ${aor}:\n${answer.text}`);
    return bindings(answer);
  }

  /** The same, as the whole Contact values. */
  async fetchContacts(aor = 'alice@example.com'): Promise<string[]> {
    return contacts(await this.request(this.register({ aor })));
  }

  close(): void {
    this.socket.close();
  }

  private expect(match: (answer: Answer) => boolean, ms: number, what: string): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const entry = {
        match,
        take: (answer: Answer): void => {
          clearTimeout(timer);
          resolve(answer);
        },
      };
      const timer = setTimeout(() => {
        this.waiting.splice(this.waiting.indexOf(entry), 1);
        reject(new Error(`no answer within ${ms} ms to\n${what}`));
      }, ms);
      this.waiting.push(entry);
    });
  }

  private arrive(answer: Answer): void {
    if (this.drewTwice(answer)) return;
    const index = this.waiting.findIndex((entry) => entry.match(answer));
    if (index < 0) this.inbox.push(answer);
    else this.waiting.splice(index, 1)[0].take(answer);
  }

  private drewTwice({ text, status }: Answer): boolean {
    const again = this.sentAgain.get(transactionOf(text));
    return again !== undefined && again.status === status && again.copies-- > 0;
  }
}

/** A REGISTER, as text. */
export function registerText(fields: RegisterFields, via: string): string {
  const aor = fields.aor ?? 'alice@example.com';
  const host = aor.slice(aor.lastIndexOf('@') + 1);
  const lines = [
    `REGISTER ${fields.requestUri ?? `sip:${host}`} SIP/2.0`,
    `Via: ${fields.via ?? via}`,
    'Max-Forwards: 70',
    `From: ${fields.from ?? `<sip:${aor}>;tag=${newToken()}`}`,
    `To: ${fields.to ?? `<sip:${aor}>`}`,
    `Call-ID: ${fields.callId ?? newToken()}`,
    `CSeq: ${fields.cseq ?? 1} REGISTER`,
    ...(fields.contacts ?? []).map((contact) => `Contact: ${contact}`),
    ...(fields.expires === undefined ? [] : [`Expires: ${fields.expires}`]),
    ...(fields.headers ?? []),
  ];
  return sip(lines, fields.body);
}

/** Lines and body as one message, Content-Length included unless a line names it. */
export function sip(lines: readonly string[], body = ''): string {
  const named = lines.some((line) => /^(content-length|l)\s*:/i.test(line));
  const all = named ? lines : [...lines, `Content-Length: ${body.length}`];
  return `${all.join('\r\n')}\r\n\r\n${body}`;
}

/** Values of a header field by its long and compact name, unfolded, row by row. */
export function headers(message: string, ...names: string[]): string[] {
  const head = message.split('\r\n\r\n', 1)[0].replace(/\r\n[ \t]+/g, ' ');
  const rows: string[] = [];
  for (const line of head.split('\r\n').slice(1)) {
    const colon = line.indexOf(':');
    const name = line.slice(0, colon).trim().toLowerCase();
    if (colon > 0 && names.some((wanted) => wanted.toLowerCase() === name)) rows.push(line.slice(colon + 1).trim());
  }
  return rows;
}

export function header(message: string, ...names: string[]): string | undefined {
  return headers(message, ...names)[0];
}

/** A comma list split where the grammar splits it: not within quotes or angle brackets. */
export function splitList(value: string): string[] {
  const values: string[] = [];
  let quoted = false;
  let angled = false;
  let from = 0;
  for (let at = 0; at < value.length; at++) {
    const c = value[at];
    if (quoted && c === '\\') at++;
    else if (c === '"') quoted = !quoted;
    else if (!quoted && (c === '<' || c === '>')) angled = c === '<';
    else if (!quoted && !angled && c === ',') {
      values.push(value.slice(from, at).trim());
      from = at + 1;
    }
  }
  values.push(value.slice(from).trim());
  return values.filter((part) => part !== '');
}

/** Contact values of an answer, in order. */
export function contacts(answer: Answer): string[] {
  return headers(answer.text, 'Contact', 'm').flatMap(splitList);
}

/** Contact URI → expires of an answer. */
export function bindings(answer: Answer): Map<string, number> {
  const found = new Map<string, number>();
  for (const value of contacts(answer)) {
    const unnamed = value.replace(/^"(?:[^"\\]|\\.)*"\s*/, '');
    const uri = /^[^<;]*<([^>]*)>/.exec(unnamed)?.[1] ?? unnamed.split(';', 1)[0];
    const after = value.slice(value.indexOf(uri) + uri.length);
    found.set(uri, Number(/;\s*expires\s*=\s*"?(\d+)/i.exec(after)?.[1] ?? Number.NaN));
  }
  return found;
}

/** The tag of a To or From value. */
export function tagOf(value: string | undefined): string | undefined {
  return /;\s*tag=([^;\s]+)/i.exec(value ?? '')?.[1];
}

export function newToken(): string {
  return randomBytes(9).toString('hex');
}

export function newBranch(): string {
  return `z9hG4bK${newToken()}`;
}

export function readAnswer(text: string, address: string, port: number): Answer {
  const start = /^SIP\/2\.0 (\d{3}) ?([^\r\n]*)/.exec(text);
  return { status: Number(start?.[1] ?? 0), reason: start?.[2] ?? '', text, address, port };
}

export function transactionOf(message: string): string {
  const via = header(message, 'Via', 'v') ?? '';
  const branch = /;\s*branch\s*=\s*([^;,\s]+)/i.exec(via)?.[1] ?? '';
  const cseq = (header(message, 'CSeq') ?? '').replace(/\s+/g, ' ');
  return `${header(message, 'Call-ID', 'i') ?? ''}|${cseq}|${branch}`;
}
