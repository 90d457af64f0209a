// A process full of SIP clients over TCP, TLS, WS or WSS: it opens connections, registers over them and keeps them, as its
// parent orders; killed, it is a network that is gone. One connection per AOR, one request at a time on each.

import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls, createSecureContext } from 'node:tls';

export type Transport = 'tcp' | 'tls' | 'ws' | 'wss';

export interface ClientOptions {
  readonly transport: Transport;
  readonly port: number;
  /** AORs user{first} … user{first + count - 1}@example.com. */
  readonly first: number;
  readonly count: number;
  /** What an answer to a REGISTER begins with. */
  readonly answer: string;
}

export type Order =
  /** Opens every connection, so many at a time. */
  | { readonly do: 'connect'; readonly window: number }
  /** One REGISTER on each connection, or as many as fit into so many seconds. */
  | { readonly do: 'register'; readonly window: number; readonly seconds?: number };

/** What an order came to. */
export interface Outcome {
  readonly ok: number;
  readonly failed: number;
  readonly seconds: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
}

/** Source addresses to connect from: each has its own ports, and its share of the connections one source may have. */
const SOURCES = 8;
const PATIENCE_MS = 20_000;
const MASK = Buffer.from([1, 2, 3, 4]);

const context = createSecureContext();

class Client {
  private readonly options: ClientOptions;
  private readonly index: number;
  private socket: Socket | null = null;
  private input: Buffer = Buffer.alloc(0);
  private cseq = 1;
  private settle: ((ok: boolean) => void) | null = null;
  private open = false;
  private timer: NodeJS.Timeout | undefined;

  constructor(options: ClientOptions, index: number) {
    this.options = options;
    this.index = index;
  }

  connect(): Promise<boolean> {
    const { transport, port } = this.options;
    const secure = transport === 'tls' || transport === 'wss';
    const to = { host: '127.0.0.1', port, localAddress: `127.0.0.${2 + (this.index % SOURCES)}`, noDelay: true };
    const socket = secure ? connectTls({ ...to, rejectUnauthorized: false, secureContext: context }) : connectTcp(to);
    this.socket = socket;
    socket.on('data', (bytes) => this.arrive(bytes));
    socket.on('error', () => {});
    socket.on('close', () => {
      this.open = false;
      this.done(false);
    });
    socket.once(secure ? 'secureConnect' : 'connect', () => {
      if (transport === 'tcp' || transport === 'tls') this.opened();
      else socket.write(HANDSHAKE);
    });
    return this.wait();
  }

  register(): Promise<boolean> {
    if (!this.open) return Promise.resolve(false);
    const text = this.request();
    const bytes = this.options.transport.startsWith('ws') ? maskedText(text) : Buffer.from(text, 'latin1');
    this.socket?.write(bytes);
    return this.wait();
  }

  private wait(): Promise<boolean> {
    this.timer = setTimeout(() => this.done(false), PATIENCE_MS);
    return new Promise((resolve) => {
      this.settle = resolve;
    });
  }

  private done(ok: boolean): void {
    clearTimeout(this.timer);
    const { settle } = this;
    this.settle = null;
    settle?.(ok);
  }

  private opened(): void {
    this.open = true;
    this.done(true);
  }

  private arrive(bytes: Buffer): void {
    const input = this.input.length === 0 ? bytes : Buffer.concat([this.input, bytes]);
    const end = input.indexOf('\r\n\r\n');
    // Answers have no body, and nothing else ends with an empty line; a frame's head goes in front.
    if (end < 0) {
      this.input = input;
      return;
    }
    this.input = Buffer.alloc(0);
    const text = input.toString('latin1', 0, end);
    if (text.startsWith('HTTP/1.1 101')) this.opened();
    else this.done(text.includes(this.options.answer) && text.includes(`<${this.contact()}>`));
  }

  private contact(): string {
    const { transport } = this.options;
    const user = `user${this.index}`;
    if (transport.startsWith('ws')) return `sip:${user}@c${this.index}.invalid;transport=ws`;
    return `sip:${user}@127.0.0.1:5070;transport=${transport}`;
  }

  /** About as long as what a browser sends. */
  private request(): string {
    const { transport } = this.options;
    const user = `user${this.index}`;
    const cseq = ++this.cseq;
    return (
      'REGISTER sip:example.com SIP/2.0\r\n' +
      `Via: SIP/2.0/${transport.toUpperCase()} c${this.index}.invalid;branch=z9hG4bK${this.index}x${cseq}\r\n` +
      'Max-Forwards: 69\r\n' +
      `To: <sip:${user}@example.com>\r\n` +
      `From: "${user}" <sip:${user}@example.com>;tag=t${this.index}c${cseq}\r\n` +
      `Call-ID: call${this.index}u6lqfdgbmr7sa5td\r\n` +
      `CSeq: ${cseq} REGISTER\r\n` +
      `Contact: <${this.contact()}>;+sip.ice;expires=3600\r\n` +
      'Expires: 3600\r\n' +
      'Allow: INVITE,ACK,CANCEL,BYE,UPDATE,MESSAGE,OPTIONS,REFER,INFO,NOTIFY\r\n' +
      'Supported: path\r\n' +
      'User-Agent: stream load generator\r\n' +
      'Content-Length: 0\r\n\r\n'
    );
  }
}

export const HANDSHAKE =
  'GET /sip HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: sip\r\n\r\n';

export function maskedText(text: string): Buffer {
  const frame = Buffer.allocUnsafe(8 + text.length);
  frame[0] = 0x81;
  frame[1] = 0x80 | 126;
  frame.writeUInt16BE(text.length, 2);
  MASK.copy(frame, 4);
  frame.write(text, 8, 'latin1');
  for (let i = 0; i < text.length; i++) frame[8 + i] ^= MASK[i & 3];
  return frame;
}

/** Does `act` for one client after the other in turn, `window` at a time, until `more` says no. */
async function each(
  clients: readonly Client[],
  window: number,
  more: (started: number) => boolean,
  act: (client: Client) => Promise<boolean>,
): Promise<Outcome> {
  const start = performance.now();
  const latencies: number[] = [];
  let started = 0;
  let failed = 0;
  const worker = async () => {
    while (more(started)) {
      const client = clients[started++ % clients.length];
      const begun = performance.now();
      const ok = await act(client);
      if (ok) latencies.push(performance.now() - begun);
      else failed++;
    }
  };
  await Promise.all(Array.from({ length: Math.min(window, clients.length) }, worker));
  latencies.sort((a, b) => a - b);
  const at = (share: number) => latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))] ?? 0;
  const seconds = (performance.now() - start) / 1000;
  return { ok: latencies.length, failed, seconds, p50: at(0.5), p99: at(0.99) };
}

/** The child process's life: orders come in, outcomes go out. */
export function serveOrders(options: ClientOptions): void {
  const clients = Array.from({ length: options.count }, (_, i) => new Client(options, options.first + i));
  process.on('message', async (order: Order) => {
    if (order.do === 'connect') {
      const all = (started: number) => started < clients.length;
      return process.send?.(await each(clients, order.window, all, (client) => client.connect()));
    }
    const until = performance.now() + (order.seconds ?? 0) * 1000;
    const more =
      order.seconds === undefined ? (started: number) => started < clients.length : () => performance.now() < until;
    process.send?.(await each(clients, order.window, more, (client) => client.register()));
  });
}
