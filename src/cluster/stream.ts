// Contract of a shard's stream: an ordered log on several machines that accepts a message only after a given one. NATS JetStream implements it
// (threads/cluster), and so does a model for the simulation (test/simulation/cluster).

/** One shard's stream, for its thread. No method throws, and only `wait` waits; `poll` delivers what has arrived. */
export interface Stream {
  /** Whether a server is connected now. */
  readonly connected: boolean;
  /** Bytes of the longest message that it accepts. */
  readonly bytesMax: number;
  /**
   * Publishes bytes[0, length), which are copied, if the last sequence is `expected`. The outcome comes with this id: acknowledged,
   * refused, failed, or none. The same id may be published again, with the same bytes.
   */
  publish(id: number, bytes: Uint8Array, length: number, expected: number): void;
  /** Asks the stream's leader, no replica, for a message: found, missing or failed. */
  read(id: number, sequence: number): void;
  /** Asks the stream's leader for its first and last sequence: bounds or failed. */
  bounds(id: number): void;
  /** Delivers messages from a sequence on, in order and each once, until the next `follow` or `unfollow`. */
  follow(from: number): void;
  unfollow(): void;
  /** The server does not answer: uses another one from now on, which also delivers the followed messages. */
  changeServer(): void;
  /** Delivers all that has arrived, oldest first; returns the number of events. */
  poll(sink: StreamSink, now: number): number;
  /** Waits until something has arrived, for `ms` at most; returns the ms waited. */
  wait(ms: number): number;
  /** Milliseconds until it has work of its own in `poll`; -1: none. */
  msToNext(now: number): number;
  close(): void;
}

/** Bytes are valid during the call alone, and may lie at any offset. */
export interface StreamSink {
  acknowledged(id: number, sequence: number): void;
  /** Not stored: the last sequence is another. @param last that sequence; -1: the server did not name it */
  refused(id: number, last: number): void;
  /** It is unknown whether the message was stored. */
  failed(id: number, reason: string): void;
  found(id: number, sequence: number, bytes: Uint8Array, length: number): void;
  missing(id: number, sequence: number): void;
  /** Bounds of the stream; if it is empty, `first` is `last` + 1. */
  bounds(id: number, first: number, last: number): void;
  message(sequence: number, bytes: Uint8Array, length: number): void;
}
