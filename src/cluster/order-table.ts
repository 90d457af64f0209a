// Orders to a node, in shared memory: written by the main thread, read by the cluster's thread.

const DRAINING = 0;
const JOINED = 1;
const HAND_TO = 2;

export function createOrderMemory(shards: number): SharedArrayBuffer {
  return new SharedArrayBuffer((HAND_TO + shards) * 4);
}

export class OrderTable {
  private readonly words: Int32Array;

  constructor(memory: SharedArrayBuffer) {
    this.words = new Int32Array(memory);
  }

  /** The node must own no shard, and claims none. */
  get draining(): boolean {
    return Atomics.load(this.words, DRAINING) === 1;
  }

  setDraining(draining: boolean): void {
    Atomics.store(this.words, DRAINING, draining ? 1 : 0);
  }

  /** The node has joined its cluster: it may talk to the other nodes, and send beats. */
  get joined(): boolean {
    return Atomics.load(this.words, JOINED) === 1;
  }

  join(): void {
    Atomics.store(this.words, JOINED, 1);
  }

  /** The node that must get a shard; 0: none. The order ends once another node owns the shard. @param isOwner whether this node still owns it */
  handTo(shard: number, isOwner: boolean): number {
    if (!isOwner) Atomics.store(this.words, HAND_TO + shard, 0);
    return Atomics.load(this.words, HAND_TO + shard);
  }

  setHandTo(shard: number, node: number): void {
    Atomics.store(this.words, HAND_TO + shard, node);
  }
}
