// What an operator orders of a node, in shared memory: written by the main thread, read by the cluster's thread.

const DRAINING = 0;
const HAND_TO = 1;

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

  /** The node that is to have a shard; 0: none. An order is over once the shard is another's. @param isOwner whether this node still owns it */
  handTo(shard: number, isOwner: boolean): number {
    if (!isOwner) Atomics.store(this.words, HAND_TO + shard, 0);
    return Atomics.load(this.words, HAND_TO + shard);
  }

  setHandTo(shard: number, node: number): void {
    Atomics.store(this.words, HAND_TO + shard, node);
  }
}
