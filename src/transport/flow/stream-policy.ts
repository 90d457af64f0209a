// Every limit and default of connections (TCP, TLS, WebSocket), in one place.

import { memoryLimit } from '../memory-limit.ts';

export interface StreamPolicy {
  /** Connections in all; further ones are closed at once. */
  readonly connectionsMax: number;
  /** Connections from one source: an IPv4 address, an IPv6 /64. */
  readonly connectionsPerSourceMax: number;
  /** A connection without a byte received for this long is closed. */
  readonly idleMs: number;
  /** A message, from its first byte on, and a TLS handshake take no longer than this. */
  readonly messageMs: number;
  /** Bytes of answers that a peer has not read; with more its connection is closed. */
  readonly unsentBytesMax: number;
  /** Bytes of a message up to and with its empty line. */
  readonly headBytesMax: number;
  /** Bytes kept of all incomplete messages; with more the oldest of them costs its connection. Each thread has its share. */
  readonly incompleteBytesMax: number;
}

const INCOMPLETE_BYTES_MIN = 4 << 20;
const INCOMPLETE_BYTES_MAX = 64 << 20;
/** Share of the memory that the process may have. */
const INCOMPLETE_SHARE = 1 / 64;

export const DEFAULT_STREAM_POLICY: StreamPolicy = {
  connectionsMax: 100_000,
  connectionsPerSourceMax: 10_000,
  idleMs: 3_600_000,
  messageMs: 10_000,
  unsentBytesMax: 256 << 10,
  headBytesMax: 16 << 10,
  incompleteBytesMax: incompleteBytes(memoryLimit()),
};

function incompleteBytes(memory: number): number {
  return Math.round(Math.min(Math.max(memory * INCOMPLETE_SHARE, INCOMPLETE_BYTES_MIN), INCOMPLETE_BYTES_MAX));
}

/** Limits of incomplete messages, as one thread has them. */
export type FramingLimits = Pick<StreamPolicy, 'headBytesMax' | 'incompleteBytesMax'>;

/** Each thread that reads connections has its share of incompleteBytesMax. */
export function framingLimits({ headBytesMax, incompleteBytesMax }: StreamPolicy, threads: number): FramingLimits {
  return { headBytesMax, incompleteBytesMax: Math.floor(incompleteBytesMax / threads) };
}
