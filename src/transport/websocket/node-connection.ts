// One WebSocket connection on the package ws: its messages, incomplete messages, and silence.

import type { Socket } from 'node:net';
import type { WebSocket } from 'ws';
import type { HalfConnection } from '../flow/stream-listener.ts';
import { monotonicMs } from '../monotonic.ts';
import { CLOSE_OVERLOAD, WebSocketConnection } from './websocket-connection.ts';
import type { WebSocketOptions } from './websocket-options.ts';

const CLOSE_POLICY = 1008;
/** Cost of a message's piece, beside its bytes. */
const FRAGMENT_BYTES = 128;

/** Fields in which ws keeps incomplete frames and messages; its version is pinned, and a test checks them. */
interface Receiver {
  readonly _bufferedBytes: number;
  readonly _messageLength: number;
  readonly _fragments: readonly unknown[];
  readonly _fragmented: number;
  /** 0 between two frames. */
  readonly _state: number;
}

export class NodeConnection extends WebSocketConnection implements HalfConnection {
  halfBytes = 0;
  heardAt = monotonicMs();
  messageSince = 0;
  /** When it was pinged; 0 where bytes have arrived since. */
  private pingedAt = 0;
  private handed = false;
  private readonly webSocket: WebSocket;
  private readonly wire: Socket;

  constructor(options: WebSocketOptions, webSocket: WebSocket, wire: Socket) {
    super(options);
    this.webSocket = webSocket;
    this.wire = wire;
    super.attach({
      send: (message, isBinary) => this.write(message, isBinary),
      end: (code, reason) => this.end(code, reason),
    });
    webSocket.on('message', (message) => {
      this.handed = true;
      this.receive(message as Buffer);
    });
    webSocket.on('error', () => {}); // it closes with the right code (RFC 6455 §7.4.1)
    wire.on('data', () => this.heard());
  }

  end(code: number, reason: string): void {
    this.options.halves.ended(this);
    this.messageSince = 0;
    this.webSocket.close(code, reason);
  }

  crowdedOut(): void {
    this.options.flows.counts.crowded++;
    this.end(CLOSE_OVERLOAD, 'too many halves of messages');
  }

  terminate(): void {
    this.webSocket.terminate();
  }

  /** Closes a connection that is silent for too long or takes too long over a message; pings it before. */
  sweep(now: number, idleMs: number): void {
    const { counts } = this.options.flows;
    if (this.messageSince > 0 && now - this.messageSince > this.options.policy.messageMs) {
      counts.slow++;
      this.end(CLOSE_POLICY, 'the message took too long');
    } else if (now - this.heardAt > idleMs) {
      counts.idle++;
      this.terminate();
    } else if (this.pingedAt === 0 && now - this.heardAt > idleMs / 2) {
      this.pingedAt = now;
      this.webSocket.ping();
    }
  }

  private write(message: Uint8Array, binary: boolean): boolean {
    if (this.webSocket.readyState !== this.webSocket.OPEN || this.cutOffUnread()) return false;
    this.webSocket.send(Buffer.from(message), { binary });
    return true;
  }

  private cutOffUnread(): boolean {
    if (this.wire.writableLength <= this.options.policy.unsentBytesMax) return false;
    this.options.flows.counts.unread++;
    this.terminate();
    return true;
  }

  /** Bytes have arrived, and ws has processed them as far as it could. */
  private heard(): void {
    const { halves } = this.options;
    const now = monotonicMs();
    this.heardAt = now;
    this.pingedAt = 0;
    const anew = this.handed;
    this.handed = false;
    if (this.webSocket.readyState !== this.webSocket.OPEN || this.cutOffUnread()) return halves.ended(this);
    const { _receiver: receiver } = this.webSocket as unknown as { _receiver: Receiver };
    const isHalf = receiver._state !== 0 || receiver._bufferedBytes > 0 || receiver._fragmented !== 0;
    if (!isHalf) this.messageSince = 0;
    else if (anew || this.messageSince === 0) this.messageSince = now;
    if (!isHalf) return halves.ended(this);
    const kept = receiver._bufferedBytes + receiver._messageLength + receiver._fragments.length * FRAGMENT_BYTES;
    halves.keeps(this, kept, anew);
    halves.trim();
  }
}
