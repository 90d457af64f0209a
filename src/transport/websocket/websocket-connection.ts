// One WebSocket client as its flow knows it, with either library: complete messages in and out, keep-alives, and messages that a
// shard's ring has no space for yet.

import { isUtf8 } from 'node:buffer';
import type { Connection } from '../flow/flows.ts';
import type { StreamListenerOptions } from '../flow/stream-listener.ts';
import { withAuthorization } from './websocket-token.ts';

const CLOSE_GOING_AWAY = 1001;
export const CLOSE_OVERLOAD = 1013;
/** Bytes that wait per connection while a shard's ring is full; a peer that sends more is closed. */
const HELD_BYTES_MAX = 256 << 10;
const CRLF = new Uint8Array([0x0d, 0x0a]);

/** A library's side of a connection. */
export interface WebSocketEnd {
  /** Sends a copy; false where the peer reads too slowly, and is closed. */
  send(message: Uint8Array, isBinary: boolean): boolean;
  end(code: number, reason: string): void;
}

export class WebSocketConnection implements Connection {
  token = 0;
  /** The Authorization row added to REGISTERs without credentials (websocket-token.ts). */
  authorization: Buffer | null = null;
  protected readonly options: StreamListenerOptions;
  private socket: WebSocketEnd | null = null;
  /** Messages that a full shard refused, oldest first: read bytes cannot be unread. */
  private held: Uint8Array[] = [];
  private heldBytes = 0;

  constructor(options: StreamListenerOptions) {
    this.options = options;
  }

  attach(socket: WebSocketEnd | null): void {
    this.socket = socket;
    if (socket === null) this.held = [];
  }

  /** Sends a copy, as text, or as binary where it is no UTF-8 (RFC 7118 §4.2). */
  send(bytes: Uint8Array, at: number, end: number): boolean {
    const message = bytes.subarray(at, end);
    return this.socket?.send(message, !isUtf8(message)) ?? false;
  }

  receive(received: Uint8Array): void {
    if (received.length <= 4 && received.every((byte) => byte === 0x0d || byte === 0x0a)) {
      // RFC 7118 §6, RFC 5626 §5.4: a double CRLF asks for a single one; a shorter message only shows that the peer lives.
      if (received.length === 4) this.socket?.send(CRLF, false);
      return;
    }
    const { authorization } = this;
    const { messageBytesMax } = this.options;
    const message = authorization === null ? received : withAuthorization(received, authorization, messageBytesMax);
    if (this.held.length === 0 && this.options.events.message(this.token, message, 0, message.length)) return;
    this.heldBytes += message.length;
    if (this.heldBytes > HELD_BYTES_MAX) this.socket?.end(CLOSE_OVERLOAD, 'too much at once');
    else this.held.push(message.slice());
  }

  resume(): void {
    while (this.held.length > 0) {
      const [message] = this.held;
      if (!this.options.events.message(this.token, message, 0, message.length)) return;
      this.heldBytes -= message.length;
      this.held.shift();
    }
  }

  close(): void {
    this.socket?.end(CLOSE_GOING_AWAY, 'going away');
  }
}
