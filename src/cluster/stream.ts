// What a shard asks of its stream: an ordered log on several machines that takes a message only behind a given one. NATS JetStream
// implements it (threads/cluster), and a model for the simulation (test/simulation/cluster).

/** One shard's stream, as its thread has it. Nothing throws or waits but `wait`; what has come is handed over by `poll`. */
export interface Stream {
  /** Whether a server can be asked now. */
  readonly connected: boolean;
  /** Of the longest message that it takes. */
  readonly bytesMax: number;
  /**
   * Publishes bytes[0, length), which are copied, where the last sequence is `expected`. Its outcome is told with this id: acknowledged,
   * refused, failed, or never. The same id may be published again, with the same bytes.
   */
  publish(id: number, bytes: Uint8Array, length: number, expected: number): void;
  /** Asks the stream's leader, no replica, for a message: found, missing or failed. */
  read(id: number, sequence: number): void;
  /** Asks the stream's leader for its first and last sequence: bounds or failed. */
  bounds(id: number): void;
  /** Messages from a sequence on are told, in order and each once: on until the next `follow` or `unfollow`. */
  follow(from: number): void;
  unfollow(): void;
  /** The server does not answer: another one is asked from here on. What was followed is followed there. */
  changeServer(): void;
  /** Hands over what has come, oldest first; returns how much that was. */
  poll(sink: StreamSink, now: number): number;
  /** Waits until something has come, or so many ms; returns how many it waited. */
  wait(ms: number): number;
  /** Milliseconds until it has to do something by itself, in `poll`; -1 for nothing. */
  msToNext(now: number): number;
  close(): void;
}

/** Bytes are valid during the call alone, and may lie at any offset. */
export interface StreamSink {
  acknowledged(id: number, sequence: number): void;
  /** Not stored: the last sequence is another. @param last which; -1 where the server did not tell */
  refused(id: number, last: number): void;
  /** It is not known whether anything was stored. */
  failed(id: number, reason: string): void;
  found(id: number, sequence: number, bytes: Uint8Array, length: number): void;
  missing(id: number, sequence: number): void;
  /** Of an empty stream, `first` is `last` + 1. */
  bounds(id: number, first: number, last: number): void;
  message(sequence: number, bytes: Uint8Array, length: number): void;
}
