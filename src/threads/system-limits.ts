// Log lines of a start about limits of the system: socket buffers, descriptors.

import { DEFAULT_STREAM_POLICY } from '../transport/flow/stream-policy.ts';
import { descriptorLimit } from '../transport/linux/descriptor-limit.ts';
import { SOCKET_BUFFER_BYTES } from '../transport/linux/native-udp.ts';
import type { PoolOptions } from './pool-options.ts';
import type { SharedParts } from './shared-parts.ts';

/** Bursts that overflow the socket are lost without a trace, so a small buffer is worth a line. */
export function warnOfSmallBuffers({ log }: PoolOptions, { native, sockets }: SharedParts): void {
  const socket = sockets[0]?.[0];
  if (native === null || socket === undefined) return;
  const bytes = native.receiveBufferBytes(socket);
  if (bytes >= SOCKET_BUFFER_BYTES) return;
  log('warn', 'small socket buffers: raise net.core.rmem_max', { bytes, wanted: SOCKET_BUFFER_BYTES });
}

/**
 * Each connection takes one descriptor. The default maximum of connections is no operator's choice: the used share is
 * watched, and reported at 80%.
 */
export function warnOfFewDescriptors({ log, listeners, streams = DEFAULT_STREAM_POLICY }: PoolOptions): void {
  const limit = descriptorLimit();
  if (limit === undefined || limit > streams.connectionsMax) return;
  if (streams.connectionsMax === DEFAULT_STREAM_POLICY.connectionsMax) return;
  if (listeners.every(({ transport }) => transport === 'udp')) return;
  const fix = 'LimitNOFILE= or ulimit -n, or a lower connections.max';
  log('info', 'fewer file descriptors than connections there may be', {
    limit,
    connections: streams.connectionsMax,
    fix,
  });
}
