// What the main thread orders of a node, in shared memory: written by it, read by the cluster's thread.

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

  /** The node is to own nothing, and claims nothing. */
  get draining(): boolean {
    return Atomics.load(this.words, DRAINING) === 1;
  }

  setDraining(draining: boolean): void {
    Atomics.store(this.words, DRAINING, draining ? 1 : 0);
  }

  /** The node has been let into its cluster: it may speak with the other nodes, and say who it is. */
  get joined(): boolean {
    return Atomics.load(this.words, JOINED) === 1;
  }

  join(): void {
    Atomics.store(this.words, JOINED, 1);
  }

  /** The node that is to have a shard; 0: none. An order is over once the shard is another's. @param isOwner whether this node still owns it */
  handTo(shard: number, isOwner: boolean): number {
    if (!isOwner) Atomics.store(this.words, HAND_TO + shard, 0);
    return Atomics.load(this.words, HAND_TO + shard);
  }

  setHandTo(shard: number, node: number): void {
    Atomics.store(this.words, HAND_TO + shard, node);
  }
}
