// A UDP load for tests that remembers everything it was promised: which binding each AOR has according to the last 200,
// until when, and what else may be true because a request was still unanswered when the server died.

import { createSocket, type Socket } from 'node:dgram';
import { bindings, type Destination, newToken, SipClient } from './sip-client.ts';

const RETRANSMIT_MS = 500; // T1

/** What one AOR should have. `expires` 0: nothing. Times are epoch milliseconds. */
export interface Promised {
  readonly expires: number;
  /** The server decided between these two moments. */
  readonly sentAt: number;
  readonly answeredAt: number;
}

export interface Line {
  readonly aor: string;
  readonly callId: string;
  cseq: number;
  promised: Promised | undefined;
  /** What else may be true: after a crash two requests may fit what is seen within a second. */
  also: readonly (Promised | undefined)[];
  outstanding: { text: string; expires: number; sentAt: number; lastSentAt: number; tries: number } | undefined;
}

export interface LoadOptions {
  readonly port: number;
  /** Several servers: a client that gets no answer asks the next one. */
  readonly ports?: readonly number[];
  readonly aors: number;
  /** Requests on their way at a time. */
  readonly window: number;
  /** Seconds that request number n of an AOR asks for; 0 unregisters. */
  readonly interval: (n: number, aor: number) => number;
  /** Requests per AOR. */
  readonly rounds: number;
  readonly domain?: string;
  /** What users' names begin with (u). */
  readonly user?: string;
}

export class Load {
  readonly lines: Line[];
  acknowledged = 0;
  /** The longest that a request waited for its 200 since `measure`, ms. */
  slowestMs = 0;
  private measuredFrom = 0;
  /** Final answers other than 200, by code: there should be none. */
  readonly refused: string[] = [];
  private readonly options: LoadOptions;
  private readonly socket: Socket;
  private readonly byCallId = new Map<string, number>();
  private readonly run = newToken();
  private next = 0;
  private onTheWay = 0;
  private timer: NodeJS.Timeout | undefined;
  private finish: () => void = () => {};
  private stopped = false;

  constructor(options: LoadOptions) {
    this.options = options;
    this.socket = createSocket({ type: 'udp4', recvBufferSize: 4 << 20 });
    const { domain = 'example.com', user = 'u' } = options;
    this.lines = Array.from({ length: options.aors }, (_, index) => ({
      aor: `${user}${index}@${domain}`,
      callId: `${this.run}-${index}`,
      cseq: 0,
      promised: undefined,
      also: [],
      outstanding: undefined,
    }));
    this.lines.forEach((line, index) => {
      this.byCallId.set(line.callId, index);
    });
  }

  /** Binds the socket; then start(). */
  open(): Promise<void> {
    this.socket.on('message', (bytes) => this.answer(bytes.toString('latin1')));
    this.socket.on('error', () => {});
    return new Promise((resolve) => this.socket.bind(0, '127.0.0.1', resolve));
  }

  /** Sends until every AOR has had its rounds; resolves then, or at stop(), after which it can go on. */
  start(): Promise<void> {
    this.stopped = false;
    this.timer = setInterval(() => this.retransmit(), 100);
    return new Promise((resolve) => {
      this.finish = resolve;
      this.fill();
    });
  }

  /** Waits count from here on, and of requests that wait already no more than what comes. */
  measure(): void {
    this.slowestMs = 0;
    this.measuredFrom = Date.now();
  }

  /** No new request is sent from here on; those on their way are repeated until they are answered. */
  endSoon(): void {
    this.next = Number.POSITIVE_INFINITY;
  }

  /** No more is sent and no more answers count from here on. */
  stop(): void {
    this.stopped = true;
    clearInterval(this.timer);
    this.finish();
  }

  /** Says what became of a line whose request was unanswered when the server died: all that fits what was seen. */
  settle(line: Line, [promised, ...also]: readonly (Promised | undefined)[]): void {
    line.promised = promised;
    line.also = also;
    if (!line.outstanding) return;
    line.outstanding = undefined;
    this.onTheWay--;
  }

  close(): void {
    this.stop();
    this.socket.close();
  }

  private fill(): void {
    const total = this.options.aors * this.options.rounds;
    let blocked = 0;
    while (!this.stopped && this.onTheWay < this.options.window && this.next < total && blocked < this.options.window) {
      const line = this.lines[this.next % this.options.aors];
      if (line.outstanding) {
        blocked++; // its last round is unanswered yet
        break;
      }
      this.send(line, Math.floor(this.next / this.options.aors), this.next % this.options.aors);
      this.next++;
    }
    if (this.next >= total && this.onTheWay === 0) this.stop();
  }

  private send(line: Line, round: number, index: number): void {
    line.cseq++;
    const expires = this.options.interval(round, index);
    const port = this.socket.address().port;
    const text =
      `REGISTER sip:example.com SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:${port};branch=z9hG4bK${this.run}.${index}.${line.cseq};rport\r\n` +
      `Max-Forwards: 70\r\nFrom: <sip:${line.aor}>;tag=${this.run}\r\nTo: <sip:${line.aor}>\r\nCall-ID: ${line.callId}\r\n` +
      `CSeq: ${line.cseq} REGISTER\r\nContact: <sip:u${index}@127.0.0.1:${port}>;expires=${expires}\r\nContent-Length: 0\r\n\r\n`;
    const now = Date.now();
    line.outstanding = { text, expires, sentAt: now, lastSentAt: now, tries: 0 };
    this.onTheWay++;
    this.socket.send(text, this.portFor(index, 0), '127.0.0.1');
  }

  private retransmit(): void {
    if (this.stopped) return;
    const now = Date.now();
    for (const [index, line] of this.lines.entries()) {
      const waiting = line.outstanding;
      if (!waiting || now - waiting.lastSentAt < RETRANSMIT_MS) continue;
      waiting.lastSentAt = now;
      this.socket.send(waiting.text, this.portFor(index, ++waiting.tries), '127.0.0.1');
    }
  }

  private portFor(index: number, tries: number): number {
    const { port, ports = [port] } = this.options;
    return ports[(index + (tries >> 1)) % ports.length];
  }

  private answer(text: string): void {
    if (this.stopped) return;
    const line = this.lines[this.byCallId.get(/\r\nCall-ID: *([^\r\n]+)/i.exec(text)?.[1] ?? '') ?? -1];
    const cseq = Number(/\r\nCSeq: *(\d+)/i.exec(text)?.[1]);
    if (!line?.outstanding || cseq !== line.cseq) return; // the answer to a retransmission
    const { expires, sentAt } = line.outstanding;
    line.outstanding = undefined;
    this.onTheWay--;
    if (text.startsWith('SIP/2.0 200 ')) {
      const granted = Number(/\r\nContact:[^\r\n]*;expires=(\d+)/i.exec(text)?.[1] ?? 0);
      if (expires > 0 && granted === 0) this.refused.push(`a 200 without its binding:\n${text}`);
      line.promised = { expires: granted, sentAt, answeredAt: Date.now() };
      line.also = [];
      this.acknowledged++;
      this.slowestMs = Math.max(this.slowestMs, Date.now() - Math.max(sentAt, this.measuredFrom));
    } else this.refused.push(text);
    this.fill();
  }
}

/** What may be true of a line after a crash: what was acknowledged, or what its unanswered request asked for. */
export function possible({ promised, also, outstanding }: Line, killedAt: number): (Promised | undefined)[] {
  if (!outstanding) return [promised, ...also];
  return [promised, ...also, { expires: outstanding.expires, sentAt: outstanding.sentAt, answeredAt: killedAt }];
}

/** What a fetch of one AOR showed: the seconds left, or undefined where it has no binding. */
export interface Seen {
  readonly remaining: number | undefined;
  readonly askedAt: number;
  readonly toldAt: number;
}

/** Fetches every AOR of a load, `window` at a time; throws where an answer is missing or no 200. */
export async function fetchAll(load: Load, server: Destination, window = 64): Promise<Seen[]> {
  const client = await SipClient.open(server);
  client.socket.setRecvBufferSize(4 << 20);
  const seen: Seen[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < load.lines.length) {
      const index = next++;
      const text = client.register({ aor: load.lines[index].aor });
      const askedAt = Date.now();
      const answer = await client.request(text);
      if (answer.status !== 200) throw new Error(`a fetch was refused:\n${answer.text}`);
      seen[index] = { remaining: [...bindings(answer).values()][0], askedAt, toldAt: Date.now() };
    }
  };
  await Promise.all(Array.from({ length: window }, worker));
  client.close();
  return seen;
}

/** Whether what a fetch shows (seconds left, or undefined) can follow from what was promised, within a second. */
export function keeps(
  promised: Promised | undefined,
  remaining: number | undefined,
  askedAt: number,
  toldAt: number,
): boolean {
  const left = (decidedAt: number, at: number): number => (promised ? promised.expires - (at - decidedAt) / 1000 : 0);
  if (!promised || promised.expires === 0) return remaining === undefined;
  const most = left(promised.answeredAt, askedAt) + 1;
  const least = left(promised.sentAt, toldAt) - 1;
  if (remaining === undefined) return least <= 0;
  return remaining >= least && remaining <= most;
}
