// Names of the streams of a cluster and of their subjects.

/** @param shard its number, or META */
export function streamName(cluster: string, shard: number | 'META'): string {
  return `AORTA_${cluster}_${shard}`;
}

export function logSubject(cluster: string, shard: number): string {
  return `aorta.${cluster}.log.${shard}`;
}

export function metaSubject(cluster: string): string {
  return `aorta.${cluster}.meta`;
}

/** @param node `*` for all */
export function beatSubject(cluster: string, node: string): string {
  return `aorta.${cluster}.beat.${node}`;
}

export function orderSubject(cluster: string, node: string): string {
  return `aorta.${cluster}.order.${node}`;
}
