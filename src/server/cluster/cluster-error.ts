// What keeps a node from being one of its cluster, in words that say what to do.

export class ClusterError extends Error {
  /** For those who print errors: it was foreseen. */
  readonly code = 'CLUSTER';
}

/** Names what the servers said to a step. */
export function clusterError(step: string, error: unknown): ClusterError {
  if (error instanceof ClusterError) return error;
  return new ClusterError(`${step}: ${error instanceof Error ? error.message : String(error)}`);
}
