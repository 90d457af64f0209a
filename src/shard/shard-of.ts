// The shard that owns an AOR: its only writer, with its bindings in its store. @hot

/** @param k3 fourth word of the AOR's key */
export function shardOf(k3: number, shards: number): number {
  return (k3 >>> 0) % shards;
}
