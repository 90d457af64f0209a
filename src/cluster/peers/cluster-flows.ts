// The connections of the whole cluster, in shared memory of a node: its own as its transports have them; of each other
// node its state, the first number of its life, and its lately ended connections. The cluster's thread writes, all
// threads read. @hot

import type { FlowLiveness } from '../../core/binding/live-flow.ts';
import { ENDED_MAX } from './peer-limits.ts';

const NODES = 256;
// By node, two words: NODE_*; the first number of its life
const NODE_WORDS = 2;

/** No beat ever came. */
export const NODE_UNKNOWN = 0;
export const NODE_THERE = 1;
/** No beat came for a while: no phone can be reached over its connections. */
export const NODE_SILENT = 2;
/** No beat came for so long that its connections count as ended. */
export const NODE_GONE = 3;
const NEWEST = NODES * NODE_WORDS;
const TABLES = NEWEST + 1 + 1;
/** Places of the hash table: twice as many as tokens. */
const PLACES = ENDED_MAX * 2;
const PLACE_WORDS = 2;
const TABLE_WORDS = PLACES * PLACE_WORDS;

/** @cold */
export function createClusterFlowsMemory(): SharedArrayBuffer {
  return new SharedArrayBuffer((TABLES + 2 * TABLE_WORDS) * 4);
}

export class ClusterFlows implements FlowLiveness {
  /** The same for the removal of bindings: a node that is only silent may return with all its connections. */
  readonly forRemoval: FlowLiveness = { isAlive: (flow, node) => this.mayStand(flow, node) };
  private readonly words: Int32Array;
  private readonly node: number;
  private readonly own: { isAlive(flow: number): boolean };
  private filled = 0;

  /** @param own connections of this node */
  constructor(memory: SharedArrayBuffer, node: number, own: { isAlive(flow: number): boolean }) {
    this.words = new Int32Array(memory);
    this.node = node;
    this.own = own;
  }

  isAlive(flow: number, node: number): boolean {
    if (node === this.node || node === 0) return this.own.isAlive(flow);
    if (Atomics.load(this.words, node * NODE_WORDS) !== NODE_THERE) return false;
    return !this.hasEnded(flow, node);
  }

  /** For the writer. Returns whether the state is new. */
  setNode(node: number, state: number, firstFlow: number): boolean {
    const { words } = this;
    const at = node * NODE_WORDS;
    const isNew = words[at] !== state || words[at + 1] !== (firstFlow | 0);
    words[at + 1] = firstFlow | 0;
    Atomics.store(words, at, state);
    return isNew;
  }

  /** For the writer: a node's connection has ended. Beyond the capacity the oldest are forgotten. */
  ended(flow: number, node: number): void {
    if (this.has(0, flow, node) || this.has(1, flow, node)) return;
    const { words } = this;
    if (this.filled === ENDED_MAX) {
      const older = 1 - words[NEWEST];
      words.fill(0, TABLES + older * TABLE_WORDS, TABLES + (older + 1) * TABLE_WORDS);
      Atomics.store(words, NEWEST, older);
      this.filled = 0;
    }
    this.filled++;
    const base = TABLES + words[NEWEST] * TABLE_WORDS;
    let place = placeOf(flow, node);
    while (words[base + place * PLACE_WORDS + 1] !== 0) place = (place + 1) & (PLACES - 1);
    words[base + place * PLACE_WORDS] = flow | 0;
    Atomics.store(words, base + place * PLACE_WORDS + 1, node);
  }

  private mayStand(flow: number, node: number): boolean {
    if (node === this.node || node === 0) return this.own.isAlive(flow);
    const state = Atomics.load(this.words, node * NODE_WORDS);
    if (state === NODE_GONE) return false;
    return state === NODE_UNKNOWN || !this.hasEnded(flow, node);
  }

  private hasEnded(flow: number, node: number): boolean {
    // Numbers wrap around: half of them are before any given one.
    if (((flow - this.words[node * NODE_WORDS + 1]) | 0) < 0) return true;
    return this.has(0, flow, node) || this.has(1, flow, node);
  }

  private has(table: number, flow: number, node: number): boolean {
    const { words } = this;
    const base = TABLES + table * TABLE_WORDS;
    for (let place = placeOf(flow, node); ; place = (place + 1) & (PLACES - 1)) {
      const at = base + place * PLACE_WORDS;
      const found = Atomics.load(words, at + 1);
      if (found === 0) return false;
      if (found === node && words[at] === (flow | 0)) return true;
    }
  }
}

function placeOf(flow: number, node: number): number {
  const mixed = Math.imul(flow ^ Math.imul(node, 0x9e3779b1), 0x85ebca6b);
  return (mixed ^ (mixed >>> 15)) & (PLACES - 1);
}
