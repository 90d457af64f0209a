// Which shard owns an AOR: its only writer, and the one whose store has its bindings. @hot

/** @param k3 fourth word of the AOR's key */
export function shardOf(k3: number, shards: number): number {
  return (k3 >>> 0) % shards;
}
