// Mutated messages and odd HTTP requests against a running server: it must neither end nor grow, and answer nothing with a 500
// that is not the one of RFC 3261 §10.3 step 7 (a CSeq that is not greater).

import { isUtf8 } from 'node:buffer';
import { createSocket, type Socket } from 'node:dgram';
import { readFileSync } from 'node:fs';
import { connect, type Socket as TcpSocket } from 'node:net';
import { Mutations } from '../oracle/mutations.ts';
import { Aorta } from '../support/aorta-process.ts';
import { within } from '../support/child-process.ts';
import { noWebSockets } from '../support/websocket-library.ts';
import { BINARY, CLOSE, frame, TEXT, WsClient } from '../support/ws-client.ts';
import { heapsRead, type Kept, keptBy, keptText, leaks, withFullJournal } from './leaks.ts';
import { oddHttpRequest } from './odd-http.ts';

export interface ServerFuzzOptions {
  readonly seed: number;
  /** Mutated SIP messages: eighteen of twenty over UDP, one each over TCP and WebSocket, where most end their connection. */
  readonly messages: number;
  /** Odd HTTP requests, half at each listener. */
  readonly requests: number;
  /** A folder for heap snapshots: what the server keeps at half-time and at the end is compared. */
  readonly heaps?: string;
  readonly progress?: (line: string) => void;
}

export interface ServerFuzzReport {
  readonly sent: { udp: number; tcp: number; ws: number; http: number };
  /** Answers by status. */
  readonly statuses: Readonly<Record<string, number>>;
  /** Resident memory of the process in MB, after the first tenth and at the end. */
  readonly memory: readonly [number, number];
  /** What it kept at both times, where heaps were read. */
  readonly kept: readonly Kept[];
}

/** The one 500 that is right. */
const STALE = /^SIP\/2\.0 500 Stale Sequence Number/;
/** The round after which tables that have a limit are as full as they will be. */
const HALF = 9;
/** Datagrams between two looks at whether the server keeps up. */
const BURST = 100;
/** UDP sockets at a time. */
const SOCKETS = 3;
const ANSWER_MS = 20_000;
const LINGER_MS = 100;
/** At a time. */
const CONNECTIONS = 64;

/** Throws where the server ends, stops answering, answers with a 500 that says nothing of a CSeq, or keeps what it should not. */
export async function serverFuzz(options: ServerFuzzOptions): Promise<ServerFuzzReport> {
  const web = noWebSockets ? [] : ['ws'];
  const http = ['--admin', 'http:127.0.0.1:0', '--lookup', 'http:127.0.0.1:0'];
  const listen = web.flatMap((transport) => ['--listen', `${transport}:127.0.0.1:0`]);
  // The limits that keep single sources out would keep everything out: all of this comes from one.
  const flags = ['--domain', '*', ...http, ...listen];
  const under = options.heaps === undefined ? [] : heapsRead(options.heaps);
  const aorta = await Aorta.start({ transports: ['udp', 'tcp'], flags, under });
  try {
    return await new Run(aorta, options).go();
  } finally {
    await aorta.stop();
  }
}

class Run {
  private readonly aorta: Aorta;
  private readonly options: ServerFuzzOptions;
  private readonly mutations: Mutations;
  private readonly sent = { udp: 0, tcp: 0, ws: 0, http: 0 };
  private readonly statuses: Record<string, number> = {};
  private failure: string | undefined;
  private fences = 0;

  constructor(aorta: Aorta, options: ServerFuzzOptions) {
    this.aorta = aorta;
    this.options = options;
    this.mutations = new Mutations(options.seed);
  }

  async go(): Promise<ServerFuzzReport> {
    const { messages, requests, progress = () => {} } = this.options;
    const rounds = 2 * HALF + 2;
    let first = 0;
    let warm = 0;
    const kept: Kept[] = [];
    const { heaps } = this.options;
    const admin = `http://127.0.0.1:${this.portOf('admin')}`;
    const unfollow = heaps === undefined ? undefined : await withFullJournal(this.aorta, admin);
    for (let round = 0; round < rounds; round++) {
      const share = Math.ceil(messages / 20 / rounds);
      await Promise.all(Array.from({ length: SOCKETS }, () => this.udp((share * 18) / SOCKETS)));
      await this.tcp(share);
      if (!noWebSockets) await this.ws(share);
      await this.http(Math.ceil(requests / 2 / rounds), 'admin');
      await this.http(Math.ceil(requests / 2 / rounds), 'lookup');
      if (round === 1) first = this.memory();
      if (round === HALF) warm = this.total;
      progress(`${this.total} sent, ${this.memory()} MB`);
      if (heaps === undefined || (round !== HALF && round !== rounds - 1)) continue;
      kept.push(await keptBy(this.aorta, admin, heaps));
      progress(`kept: ${keptText(kept[kept.length - 1])}`);
    }
    await unfollow?.();
    const leaked = kept.length === 2 ? leaks(kept[0], kept[1], this.total - warm) : [];
    if (leaked.length > 0) throw new Error(`the server keeps what it should not: ${leaked.join('; ')}`);
    return { sent: this.sent, statuses: this.statuses, memory: [first, this.memory()], kept };
  }

  private get total(): number {
    return Object.values(this.sent).reduce((sum, n) => sum + n);
  }

  private async udp(count: number): Promise<void> {
    const socket = createSocket('udp4');
    await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
    let answered: (text: string) => void = () => {};
    socket.on('message', (bytes) => {
      const text = bytes.toString('latin1');
      this.answer(text);
      answered(text);
    });
    try {
      for (let done = 0; done < count; done += BURST) {
        for (let i = 0; i < BURST; i++) this.datagram(socket);
        const fence = this.fence('UDP', socket.address().port);
        const answer = new Promise<void>((resolve) => {
          answered = (text) => {
            if (text.includes(fence.callId)) resolve();
          };
        });
        const transmit = () => socket.send(fence.text, this.aorta.port, '127.0.0.1');
        // Repeated, as a phone does: the kernel may have dropped it behind the burst.
        const again = setInterval(transmit, 50);
        transmit();
        await this.until(answer).finally(() => clearInterval(again));
      }
    } finally {
      socket.close();
    }
  }

  private datagram(socket: Socket): void {
    this.mutations.next();
    socket.send(this.mutations.bytes.slice(0, this.mutations.length), this.aorta.port, '127.0.0.1');
    this.sent.udp++;
  }

  /** Connections, many at a time, that carry messages until one of them ends it, or its quota is sent. */
  private async tcp(count: number): Promise<void> {
    let left = count;
    const connections = async () => {
      while (left > 0) {
        const messages = Math.min(left, 1 + this.mutations.below(64));
        left -= messages;
        const unsent = messages - (await this.connection(messages));
        left += unsent;
      }
    };
    await Promise.all(Array.from({ length: CONNECTIONS }, connections));
  }

  /** @returns how many messages were sent before it ended */
  private async connection(messages: number): Promise<number> {
    const socket = connect(this.aorta.port, '127.0.0.1');
    let text = '';
    socket.on('data', (bytes) => {
      text = this.answers(text + bytes.toString('latin1'));
    });
    socket.on('error', () => {});
    const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
    await Promise.race([new Promise((resolve) => socket.once('connect', resolve)), closed]);
    let sent = 0;
    while (sent < messages && !socket.destroyed) {
      this.write(socket);
      // The end of a connection is seen between two turns of the event loop only.
      if (++sent % 4 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    socket.end();
    // A message that draws no answer keeps it open for a while: nobody waits for that.
    await within(closed, LINGER_MS);
    socket.destroy();
    return Math.max(1, sent);
  }

  private write(socket: TcpSocket): void {
    this.mutations.next();
    const bytes = Buffer.from(this.mutations.bytes.subarray(0, this.mutations.length));
    // In pieces now and then, so that messages end anywhere in a segment.
    const cut = this.mutations.below(4) === 0 ? this.mutations.below(bytes.length + 1) : bytes.length;
    socket.write(bytes.subarray(0, cut));
    if (cut < bytes.length) socket.write(bytes.subarray(cut));
    this.sent.tcp++;
  }

  private async ws(count: number): Promise<void> {
    const port = this.portOf('ws');
    for (let done = 0; done < count; ) {
      const client = await WsClient.open({ port });
      const messages = Math.min(256, count - done);
      for (let i = 0; i < messages && !client.over; i++, done++) {
        if (i % 16 === 0) await new Promise((resolve) => setImmediate(resolve));
        this.mutations.next();
        const bytes = Buffer.from(this.mutations.bytes.subarray(0, this.mutations.length));
        // Text that is no UTF-8 ends the connection.
        client.raw(frame(isUtf8(bytes) ? TEXT : BINARY, bytes));
        this.sent.ws++;
      }
      client.raw(frame(CLOSE));
      client.socket.end();
      await this.until(client.ended);
      for (const { payload } of client.frames) this.answer(payload.toString('latin1'));
    }
  }

  private async http(count: number, listener: 'admin' | 'lookup'): Promise<void> {
    const port = this.portOf(listener);
    for (let done = 0; done < count; done += CONNECTIONS) {
      const some = Array.from({ length: Math.min(CONNECTIONS, count - done) }, () => oddHttpRequest(this.mutations));
      await Promise.all(some.map((request) => this.httpRequest(port, request)));
    }
  }

  private async httpRequest(port: number, request: Buffer): Promise<void> {
    const socket = connect(port, '127.0.0.1');
    let text = '';
    socket.on('data', (bytes) => {
      text += bytes.toString('latin1');
      // Streams of events do not end by themselves.
      if (/^content-type: text\/event-stream/im.test(text)) socket.destroy();
    });
    socket.on('error', () => {});
    socket.end(request);
    this.sent.http++;
    await this.until(new Promise<void>((resolve) => socket.once('close', () => resolve())));
    const status = /^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? 'none';
    this.count(`http ${status}`);
    if (status === '500') this.failure ??= `500 to ${JSON.stringify(request.toString('latin1'))}`;
  }

  /** An OPTIONS that is certain to be answered. */
  private fence(transport: string, port: number): { text: string; callId: string } {
    const callId = `fence-${this.options.seed}-${++this.fences}`;
    const lines = [
      'OPTIONS sip:example.com SIP/2.0',
      `Via: SIP/2.0/${transport} 127.0.0.1:${port};branch=z9hG4bK${callId};rport`,
      'Max-Forwards: 70',
      `From: <sip:fence@example.com>;tag=${callId}`,
      'To: <sip:example.com>',
      `Call-ID: ${callId}`,
      'CSeq: 1 OPTIONS',
      'Content-Length: 0',
    ];
    return { text: `${lines.join('\r\n')}\r\n\r\n`, callId };
  }

  /** Counts the whole answers in a stream's text; what is left of it. */
  private answers(text: string): string {
    for (;;) {
      const head = text.indexOf('\r\n\r\n');
      if (head < 0) return text;
      const length = Number(/^content-length: *(\d+)/im.exec(text.slice(0, head))?.[1] ?? 0);
      if (text.length < head + 4 + length) return text;
      this.answer(text.slice(0, head));
      text = text.slice(head + 4 + length);
    }
  }

  private answer(text: string): void {
    const status = /^SIP\/2\.0 (\d{3})/.exec(text)?.[1];
    if (status === undefined) return;
    this.count(STALE.test(text) ? '500 stale' : status);
    if (status === '500' && !STALE.test(text)) this.failure ??= `an answer with 500:\n${text}`;
  }

  private count(status: string): void {
    this.statuses[status] = (this.statuses[status] ?? 0) + 1;
  }

  /** Waits for what the server must do, and fails where it ends, is silent, or has answered what it must not. */
  private async until(done: Promise<void>): Promise<void> {
    const answered = await within(
      Promise.race([done.then(() => true), this.aorta.child.exited.then(() => false)]),
      ANSWER_MS,
    );
    if (!this.aorta.alive) {
      const exit = JSON.stringify(this.aorta.child.exit);
      throw new Error(`the server ended: ${exit}\n${this.aorta.stderr}`);
    }
    if (this.failure !== undefined) throw new Error(this.failure);
    if (answered !== true) throw new Error(`the server was silent for ${ANSWER_MS} ms`);
  }

  private portOf(listener: 'ws' | 'admin' | 'lookup'): number {
    const line = listener === 'ws' ? /^listening ws .*:(\d+)$/m : new RegExp(`^${listener}s? http://[^ ]*:(\\d+)`, 'm');
    const port = line.exec(this.aorta.stdout)?.[1];
    if (port === undefined) throw new Error(`no line of the ${listener} listener in\n${this.aorta.stdout}`);
    return Number(port);
  }

  private memory(): number {
    const status = readFileSync(`/proc/${this.aorta.child.process.pid}/status`, 'latin1');
    return Math.round(Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) / 1024);
  }
}
