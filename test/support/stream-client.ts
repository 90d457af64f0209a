// A SIP client over one connection, for tests: plain text goes out, answers come back as text, cut by Content-Length.
// It knows only what answers look like, and keeps everything else that came apart.

import { connect as connectTcp, type Socket } from 'node:net';
import { patience } from './patience.ts';
import {
  type Answer,
  type Destination,
  header,
  newBranch,
  type RegisterFields,
  readAnswer,
  registerText,
  transactionOf,
} from './sip-client.ts';

const ANSWER_MS = 10_000;

interface Waiting {
  match(answer: Answer): boolean;
  take(answer: Answer): void;
}

export class StreamClient {
  readonly socket: Socket;
  readonly transport: string;
  /** Its own, also when the connection is over. */
  readonly localPort: number;
  /** Answers that nobody awaited. */
  readonly inbox: Answer[] = [];
  /** CRLFs that came between answers. */
  blanks = '';
  /** Whether the server has ended its half, or all. */
  ended = false;
  closed = false;
  private text = '';
  private readonly waiting: Waiting[] = [];

  constructor(socket: Socket, transport: string) {
    this.socket = socket;
    this.transport = transport;
    this.localPort = socket.localPort ?? 0;
    socket.on('data', (bytes: Buffer) => this.arrive(bytes.toString('latin1')));
    socket.on('end', () => {
      this.ended = true;
    });
    socket.on('close', () => {
      this.closed = true;
    });
    socket.on('error', () => {});
  }

  static tcp({ address, port }: Destination, localAddress?: string): Promise<StreamClient> {
    return new Promise((resolve, reject) => {
      const socket = connectTcp({ host: address, port, ...(localAddress && { localAddress }) });
      socket.once('error', reject);
      socket.once('connect', () => resolve(new StreamClient(socket, 'TCP')));
    });
  }

  via(branch: string = newBranch()): string {
    const host = this.socket.localAddress ?? '127.0.0.1';
    return `SIP/2.0/${this.transport} ${host.includes(':') ? `[${host}]` : host}:${this.socket.localPort};branch=${branch};rport`;
  }

  register(fields: RegisterFields = {}): string {
    return registerText(fields, this.via(fields.branch));
  }

  /** Sends bytes as they are; a string is one byte per character. */
  send(message: string | Uint8Array): void {
    this.socket.write(typeof message === 'string' ? Buffer.from(message, 'latin1') : message);
  }

  /** Sends a request and gives its answer. */
  async request(message: string, ms = ANSWER_MS * patience()): Promise<Answer> {
    const answer = this.answerTo(message, ms);
    this.send(message);
    return answer;
  }

  answerTo(message: string, ms = ANSWER_MS * patience()): Promise<Answer> {
    const key = transactionOf(message);
    return this.expect((answer) => transactionOf(answer.text) === key, ms, message);
  }

  /** The next answer, whatever it is. */
  next(ms = ANSWER_MS * patience()): Promise<Answer> {
    return this.expect(() => true, ms, 'any answer');
  }

  close(): void {
    this.socket.destroy();
  }

  private expect(match: (answer: Answer) => boolean, ms: number, what: string): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const entry: Waiting = {
        match,
        take: (answer) => {
          clearTimeout(timer);
          resolve(answer);
        },
      };
      const timer = setTimeout(() => {
        this.waiting.splice(this.waiting.indexOf(entry), 1);
        reject(new Error(`no answer within ${ms} ms${this.closed ? ' (the connection is closed)' : ''} to\n${what}`));
      }, ms);
      this.waiting.push(entry);
    });
  }

  private arrive(text: string): void {
    this.text += text;
    for (;;) {
      const start = /^(?:\r\n)*/.exec(this.text)?.[0].length ?? 0;
      this.blanks += this.text.slice(0, start);
      this.text = this.text.slice(start);
      const head = this.text.indexOf('\r\n\r\n');
      if (head < 0) return;
      const end = head + 4 + Number(header(this.text, 'Content-Length') ?? 0);
      if (this.text.length < end) return;
      this.take(readAnswer(this.text.slice(0, end), this.socket.remoteAddress ?? '', this.socket.remotePort ?? 0));
      this.text = this.text.slice(end);
    }
  }

  private take(answer: Answer): void {
    const index = this.waiting.findIndex((entry) => entry.match(answer));
    if (index < 0) this.inbox.push(answer);
    else this.waiting.splice(index, 1)[0].take(answer);
  }
}
