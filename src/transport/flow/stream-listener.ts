// The interface of listeners for connections (TCP, TLS, WebSocket): a listener opens flows, hands complete messages on, reports
// when a flow has ended, and accepts nothing while it is paused. Each listener has its own way from bytes to messages.

import type { ListenAddress } from '../listener.ts';
import type { Flows } from './flows.ts';
import type { Half, HalfMessages } from './half-messages.ts';
import type { StreamPolicy } from './stream-policy.ts';

export interface StreamEvents {
  /**
   * A complete message of a live flow; the bytes are only valid during the call, and its answer comes after the call. False: the
   * ring is full now. The listener then keeps it, reads nothing more from this connection, and offers it again at Connection.resume().
   */
  message(token: number, bytes: Uint8Array, at: number, end: number): boolean;
  /** A flow has ended: `flows.ended(token)` was true. */
  closed(token: number): void;
  /** An error that ended no flow, or came before there was one. */
  error(listener: number, error: Error): void;
  /** An event worth a line in the log. */
  notice(event: string, fields: Record<string, unknown>): void;
}

/** A connection that the main thread reads. */
export interface HalfConnection extends Half {
  /** Its half message is the oldest, and the budget for half messages is spent: it closes. */
  crowdedOut(): void;
}

export interface StreamListener {
  /** The address that it listens on; a port given as 0 is the real one here. */
  readonly address: ListenAddress;
  /** Accepts no connection and no message any more; answers still leave. */
  pause(): void;
  /** Closes all its connections once their answers have left, and waits briefly for that. */
  close(): Promise<void>;
  /** Reads certificates again, where it has any. */
  reload?(): void;
}

export interface StreamListenerOptions {
  /** Descriptor of a socket that is bound already, and outlives the process. */
  readonly inherited?: number;
  readonly address: ListenAddress;
  /** Its index in the configuration. */
  readonly listener: number;
  readonly flows: Flows;
  readonly events: StreamEvents;
  readonly policy: StreamPolicy;
  /** The account of incomplete messages, over all listeners of the thread. */
  readonly halves: HalfMessages<HalfConnection>;
  /** Bytes of one message. */
  readonly messageBytesMax: number;
}
