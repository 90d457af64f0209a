// Errors that keep a node from its cluster, with texts that name the remedy.

import { JetStreamApiError } from '@nats-io/jetstream';
import { errors } from '@nats-io/transport-node';

/** Status of servers that have no leader yet, or cannot reach enough of the others. */
const UNAVAILABLE = 503;
const PASSING = [
  errors.TimeoutError,
  errors.NoRespondersError,
  errors.ConnectionError,
  errors.ClosedConnectionError,
  errors.RequestError,
];

export class ClusterError extends Error {
  /** For code that prints errors: this one was foreseen. */
  readonly code = 'CLUSTER';
}

/** The servers do not answer, or answer for no stream. They may a moment later: none of them has refused. */
export class ServersAway extends ClusterError {}

/** The servers refuse the credentials: a mistake of theirs or of this node's, which may pass without a restart. */
export class LoginRefused extends ServersAway {}

/** Makes an error of a step and the servers' answer to it. */
export function clusterError(step: string, error: unknown): ClusterError {
  if (error instanceof ClusterError) return error;
  const text = `${step}: ${error instanceof Error ? error.message : String(error)}`;
  return isPassing(error) ? new ServersAway(text) : new ClusterError(text);
}

function isPassing(error: unknown): boolean {
  if (error instanceof JetStreamApiError) return error.status === UNAVAILABLE;
  return PASSING.some((kind) => error instanceof kind);
}
