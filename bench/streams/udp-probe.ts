// A few REGISTERs a second over UDP, and how long their answers take: what others notice of a storm. And what an AOR has,
// asked over UDP.

import { createSocket, type Socket } from 'node:dgram';

export interface Latency {
  readonly sent: number;
  readonly lost: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

const AORS = 500;
const TICK_MS = 5;

export class UdpProbe {
  private readonly socket: Socket;
  private readonly port: number;
  private readonly sentAt = new Map<string, number>();
  private readonly answers = new Map<string, (text: string) => void>();
  private latencies: number[] = [];
  private sequence = 0;
  private timer: NodeJS.Timeout | undefined;

  private constructor(socket: Socket, port: number) {
    this.socket = socket;
    this.port = port;
    socket.on('message', (bytes) => this.arrive(bytes.toString('latin1')));
  }

  static open(port: number): Promise<UdpProbe> {
    const socket = createSocket('udp4');
    return new Promise((resolve) => socket.bind(0, '127.0.0.1', () => resolve(new UdpProbe(socket, port))));
  }

  /** Sends `perSecond` REGISTERs a second from now on. */
  start(perSecond: number): void {
    const begun = performance.now();
    let sent = 0;
    this.timer = setInterval(() => {
      const due = ((performance.now() - begun) / 1000) * perSecond;
      for (; sent < due; sent++) this.refresh(sent % AORS);
    }, TICK_MS);
  }

  /** What came of those sent since the last call. */
  take(): Latency {
    const sorted = this.latencies.sort((a, b) => a - b);
    this.latencies = [];
    const lost = this.sentAt.size;
    this.sentAt.clear();
    const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
    return { sent: sorted.length + lost, lost, p50: at(0.5), p99: at(0.99), max: at(1) };
  }

  stop(): void {
    clearInterval(this.timer);
  }

  close(): void {
    this.stop();
    this.socket.close();
  }

  /** Whether user{index} has a binding. */
  isBound(index: number): Promise<boolean> {
    const callId = `fetch${index}n${++this.sequence}`;
    this.send(`user${index}`, callId, 1, []);
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.answers.get(callId)?.('lost; Contact: '), 1000);
      this.answers.set(callId, (text) => {
        clearTimeout(timer);
        this.answers.delete(callId);
        resolve(text.includes('Contact: '));
      });
    });
  }

  private refresh(aor: number): void {
    const cseq = ++this.sequence;
    this.sentAt.set(`probe${aor}/${cseq}`, performance.now());
    this.send(`probe${aor}`, `probe${aor}`, cseq, [`Contact: <sip:probe${aor}@127.0.0.1:5070>;expires=600`]);
  }

  private send(user: string, callId: string, cseq: number, lines: readonly string[]): void {
    const head = [
      'REGISTER sip:example.com SIP/2.0',
      `Via: SIP/2.0/UDP 127.0.0.1:${this.socket.address().port};branch=z9hG4bK${callId}c${cseq};rport`,
      `From: <sip:${user}@example.com>;tag=${cseq}`,
      `To: <sip:${user}@example.com>`,
      `Call-ID: ${callId}`,
      `CSeq: ${cseq} REGISTER`,
      ...lines,
      'Content-Length: 0',
    ];
    this.socket.send(`${head.join('\r\n')}\r\n\r\n`, this.port, '127.0.0.1');
  }

  private arrive(text: string): void {
    const callId = /^Call-ID: (.*)$/m.exec(text)?.[1].trim() ?? '';
    const cseq = /^CSeq: ([0-9]+)/m.exec(text)?.[1] ?? '';
    const key = `${callId}/${cseq}`;
    const sentAt = this.sentAt.get(key);
    if (sentAt !== undefined) {
      this.latencies.push(performance.now() - sentAt);
      this.sentAt.delete(key);
    } else this.answers.get(callId)?.(text);
  }
}
