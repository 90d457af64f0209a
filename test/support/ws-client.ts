// A WebSocket client for tests that says exactly what it is told, wrong frames included (RFC 6455 §5.2). What comes back is
// kept frame by frame. No SIP here.

import { createHash, randomBytes } from 'node:crypto';
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { within } from './child-process.ts';
import { patience } from './patience.ts';

export const TEXT = 1;
export const BINARY = 2;
export const CLOSE = 8;
export const PING = 9;
export const PONG = 10;
const WAIT_MS = 10_000;

export interface Frame {
  readonly opcode: number;
  readonly fin: boolean;
  readonly payload: Buffer;
}

export interface WsAddress {
  readonly port: number;
  readonly host?: string;
  /** WSS; certificates are not checked. */
  readonly tls?: boolean;
  /** The name that a TLS client asks for. */
  readonly servername?: string;
}

export interface WsHandshake {
  readonly path?: string;
  /** Sec-WebSocket-Protocol; '' leaves it out. */
  readonly protocol?: string;
  /** Sec-WebSocket-Version; '' leaves it out. */
  readonly version?: string;
  readonly headers?: readonly string[];
}

/** What the server said to a handshake; with 101 the client is open. */
export interface WsReply {
  readonly status: number;
  readonly head: string;
  readonly client: WsClient;
}

export class WsClient {
  private static readonly connected = new Map<Socket, number>();

  /** Breaks every connection to a port, so that a server that closes waits for none of them. */
  static leave(port: number): void {
    for (const [socket, to] of WsClient.connected) if (to === port) socket.destroy();
  }

  readonly socket: Socket;
  /** Frames that came in and were not awaited. */
  readonly frames: Frame[] = [];
  /** Resolves when the connection has ended, in whichever way. */
  readonly ended: Promise<void>;
  over = false;
  private buffer = Buffer.alloc(0);
  /** What came before the frames: the answer to the handshake. */
  head = '';
  private readonly waiting: (() => void)[] = [];

  private constructor(socket: Socket, port: number) {
    this.socket = socket;
    WsClient.connected.set(socket, port);
    socket.on('data', (bytes) => this.arrive(bytes));
    socket.on('error', () => {});
    this.ended = new Promise((resolve) =>
      socket.on('close', () => {
        this.over = true;
        WsClient.connected.delete(socket);
        for (const wake of this.waiting.splice(0)) wake();
        resolve();
      }),
    );
  }

  /** A connection on which nothing has been said. */
  static async dial({ port, host = '127.0.0.1', tls = false, servername }: WsAddress): Promise<WsClient> {
    const socket = tls
      ? connectTls({ port, host, rejectUnauthorized: false, ...(servername && { servername }) })
      : connectTcp({ port, host });
    const client = new WsClient(socket, port);
    const ready = new Promise<void>((resolve) => socket.once(tls ? 'secureConnect' : 'connect', resolve));
    await within(Promise.race([ready, client.ended]), WAIT_MS * patience());
    return client;
  }

  /** Dials and shakes hands; the server may refuse. */
  static async try(address: WsAddress, handshake: WsHandshake = {}): Promise<WsReply> {
    const client = await WsClient.dial(address);
    return client.shake(handshake);
  }

  /** Dials and shakes hands; throws where the server refuses. */
  static async open(address: WsAddress, handshake: WsHandshake = {}): Promise<WsClient> {
    const { status, head, client } = await WsClient.try(address, handshake);
    if (status !== 101) throw new Error(`refused:\n${head}`);
    return client;
  }

  async shake({ path = '/', protocol = 'sip', version = '13', headers = [] }: WsHandshake = {}): Promise<WsReply> {
    const key = randomBytes(16).toString('base64');
    const lines = [
      `GET ${path} HTTP/1.1`,
      'Host: localhost',
      'Upgrade: websocket',
      'Connection: Upgrade',
      `Sec-WebSocket-Key: ${key}`,
      ...(version === '' ? [] : [`Sec-WebSocket-Version: ${version}`]),
      ...(protocol === '' ? [] : [`Sec-WebSocket-Protocol: ${protocol}`]),
      ...headers,
    ];
    this.raw(`${lines.join('\r\n')}\r\n\r\n`);
    await this.until(() => this.head !== '');
    const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(this.head)?.[1] ?? 0);
    const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
    if (status === 101 && !this.head.includes(`Sec-WebSocket-Accept: ${accept}`)) throw new Error(this.head);
    return { status, head: this.head, client: this };
  }

  text(message: string | Uint8Array): void {
    this.raw(frame(TEXT, message));
  }

  binary(message: string | Uint8Array): void {
    this.raw(frame(BINARY, message));
  }

  /** Sends bytes as they are; a string is one byte per character. */
  raw(bytes: string | Uint8Array): void {
    this.socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes);
  }

  /** The next frame; throws where the connection ends or nothing comes. */
  async next(): Promise<Frame> {
    await this.until(() => this.frames.length > 0);
    const next = this.frames.shift();
    if (next === undefined) throw new Error('the connection ended without a further frame');
    return next;
  }

  /** Takes the connection down without a word, as a network that is lost does. */
  destroy(): void {
    this.socket.destroy();
  }

  private async until(condition: () => boolean): Promise<void> {
    const met = (async () => {
      while (!condition() && !this.over) await new Promise<void>((resolve) => this.waiting.push(resolve));
    })();
    await within(met, WAIT_MS * patience());
  }

  private arrive(bytes: Buffer): void {
    this.buffer = Buffer.concat([this.buffer, bytes]);
    if (this.head === '') {
      const end = this.buffer.indexOf('\r\n\r\n');
      if (end < 0) return;
      this.head = this.buffer.toString('latin1', 0, end + 4);
      this.buffer = this.buffer.subarray(end + 4);
    }
    for (let read = readFrame(this.buffer); read !== null; read = readFrame(this.buffer)) {
      this.frames.push(read.frame);
      this.buffer = this.buffer.subarray(read.length);
    }
    for (const wake of this.waiting.splice(0)) wake();
  }
}

/** A client's frame. `lie` is written as its length instead of the true one. */
export function frame(
  opcode: number,
  payload: string | Uint8Array = '',
  { fin = true, mask = true, rsv = 0, lie }: { fin?: boolean; mask?: boolean; rsv?: number; lie?: number } = {},
): Buffer {
  const body = typeof payload === 'string' ? Buffer.from(payload, 'latin1') : Buffer.from(payload);
  const length = lie ?? body.length;
  const head = [(fin ? 0x80 : 0) | (rsv << 4) | opcode];
  const masked = mask ? 0x80 : 0;
  if (length < 126) head.push(masked | length);
  else if (length < 65_536) head.push(masked | 126, length >> 8, length & 255);
  else head.push(masked | 127, 0, 0, 0, 0, length >>> 24, (length >> 16) & 255, (length >> 8) & 255, length & 255);
  if (!mask) return Buffer.concat([Buffer.from(head), body]);
  const key = randomBytes(4);
  for (let i = 0; i < body.length; i++) body[i] ^= key[i & 3];
  return Buffer.concat([Buffer.from(head), key, body]);
}

function readFrame(bytes: Buffer): { frame: Frame; length: number } | null {
  if (bytes.length < 2) return null;
  let at = 2;
  let length = bytes[1] & 127;
  if (length === 126 || length === 127) {
    at = length === 126 ? 4 : 10;
    if (bytes.length < at) return null;
    length = length === 126 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2));
  }
  if (bytes.length < at + length) return null;
  const payload = Buffer.from(bytes.subarray(at, at + length));
  return { frame: { opcode: bytes[0] & 15, fin: bytes[0] >= 128, payload }, length: at + length };
}
