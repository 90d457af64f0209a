// What keeps a node from being one of its cluster, in words that say what to do.

import { JetStreamApiError } from '@nats-io/jetstream';
import { errors } from '@nats-io/transport-node';

/** What servers say that have no leader yet, or cannot reach enough of the others. */
const UNAVAILABLE = 503;
const PASSING = [
  errors.TimeoutError,
  errors.NoRespondersError,
  errors.ConnectionError,
  errors.ClosedConnectionError,
  errors.RequestError,
];

export class ClusterError extends Error {
  /** For those who print errors: it was foreseen. */
  readonly code = 'CLUSTER';
}

/** The servers do not answer, or answer for no stream: they may a moment later, and nobody has refused anything. */
export class ServersAway extends ClusterError {}

/** The servers do not accept the credentials: a mistake of theirs or of this node's, which may pass without a new start. */
export class LoginRefused extends ServersAway {}

/** Names what the servers said to a step. */
export function clusterError(step: string, error: unknown): ClusterError {
  if (error instanceof ClusterError) return error;
  const text = `${step}: ${error instanceof Error ? error.message : String(error)}`;
  return isPassing(error) ? new ServersAway(text) : new ClusterError(text);
}

function isPassing(error: unknown): boolean {
  if (error instanceof JetStreamApiError) return error.status === UNAVAILABLE;
  return PASSING.some((kind) => error instanceof kind);
}
