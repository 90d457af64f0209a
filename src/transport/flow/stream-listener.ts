// What every listener of connections (TCP, TLS, WebSocket) is to the rest: it opens flows, hands whole messages on, reports when
// a flow has ended, and takes nothing in while it is paused. How bytes become messages is each listener's own.

import type { ListenAddress } from '../listener.ts';
import type { Flows } from './flows.ts';
import type { Half, HalfMessages } from './half-messages.ts';
import type { StreamPolicy } from './stream-policy.ts';

export interface StreamEvents {
  /**
   * A whole message of a live flow; the bytes are only valid during the call. False: the ring is full now. The
   * listener then keeps it, reads nothing more from this connection, and offers it again at Connection.resume().
   */
  message(token: number, bytes: Uint8Array, at: number, end: number): boolean;
  /** A flow has ended: `flows.ended(token)` was true. */
  closed(token: number): void;
  /** Something went wrong that ended no flow, or before there was one. */
  error(listener: number, error: Error): void;
  /** Something worth a line in the log. */
  notice(event: string, fields: Record<string, unknown>): void;
}

/** A connection that the main thread reads. */
export interface HalfConnection extends Half {
  /** Its half message is the oldest, and the budget for such is spent: it closes. */
  crowdedOut(): void;
}

export interface StreamListener {
  /** Where it listens; a port given as 0 is the real one here. */
  readonly address: ListenAddress;
  /** Takes in no connection and no message any more; answers still leave. */
  pause(): void;
  /** Ends every connection of it once its answers have left, and waits for that a moment. */
  close(): Promise<void>;
  /** Reads certificates anew, where it has any. */
  reload?(): void;
}

export interface StreamListenerOptions {
  /** Of a socket that is bound already, and outlives the process. */
  readonly inherited?: number;
  readonly address: ListenAddress;
  /** Its index in the configuration. */
  readonly listener: number;
  readonly flows: Flows;
  readonly events: StreamEvents;
  readonly policy: StreamPolicy;
  /** What is kept of messages that are not whole, over all listeners of the thread. */
  readonly halves: HalfMessages<HalfConnection>;
  /** Bytes of one message. */
  readonly messageBytesMax: number;
}
