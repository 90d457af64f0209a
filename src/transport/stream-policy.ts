// Every limit and default of connections (TCP, TLS, WebSocket), in one place.

export interface StreamPolicy {
  /** Connections in all; further ones are closed at once. */
  readonly connectionsMax: number;
  /** Connections from one source: an IPv4 address, an IPv6 /64. */
  readonly connectionsPerSourceMax: number;
  /** A connection from which nothing came for this long is closed. */
  readonly idleMs: number;
  /** A message, from its first byte on, and a TLS handshake take no longer than this. */
  readonly messageMs: number;
  /** Answers that a peer has not read; with more it is closed. */
  readonly unsentBytesMax: number;
}

export const DEFAULT_STREAM_POLICY: StreamPolicy = {
  connectionsMax: 100_000,
  connectionsPerSourceMax: 10_000,
  idleMs: 3_600_000,
  messageMs: 10_000,
  unsentBytesMax: 256 << 10,
};
