// Which flows are alive, in shared memory: the main thread writes, every thread may ask. A flow is a connection; its token
// is a number that no other connection of this server has had, in this life of the process or the ones before.
// @hot

const SLOTS_MAX = 1 << 24;

/** Shared memory for flows, of which `connections` may be alive at a time. @cold */
export function createLiveFlowsMemory(connections: number): SharedArrayBuffer {
  let slots = 1024;
  while (slots < connections * 2 && slots < SLOTS_MAX) slots *= 2;
  return new SharedArrayBuffer(slots * 4);
}

/** A token's low bits are its slot; the slot holds the token while its flow is alive. */
export class LiveFlows {
  readonly slots: number;
  private readonly tokens: Int32Array;

  constructor(memory: SharedArrayBuffer) {
    this.tokens = new Int32Array(memory);
    this.slots = this.tokens.length;
  }

  isAlive(token: number): boolean {
    return token !== 0 && Atomics.load(this.tokens, token & (this.slots - 1)) === (token | 0);
  }

  /** For the writer: whether a flow's slot is free. */
  isFree(token: number): boolean {
    return this.tokens[token & (this.slots - 1)] === 0;
  }

  /** For the writer: the flow begins. */
  begin(token: number): void {
    Atomics.store(this.tokens, token & (this.slots - 1), token | 0);
  }

  /** For the writer: the flow ends. */
  end(token: number): void {
    Atomics.store(this.tokens, token & (this.slots - 1), 0);
  }
}
