// A node's counters of its peers, in shared memory: written by the cluster's thread alone.

const PEER_COUNTERS = [
  /** Requests sent to the node that owns their shard. */
  'forwarded',
  /** Requests received from other nodes. */
  'taken',
  /** Answers that came back, and were sent. */
  'answered',
  /** Requests and answers that could not be delivered. */
  'failed',
  /** Requests over connections that were given back to their clients with a 503. */
  'put_back',
  /** Connections without the proof of a node. */
  'strangers',
  /** Connections closed for an invalid frame. */
  'bad_frames',
] as const;
export type PeerCounter = (typeof PEER_COUNTERS)[number];

const NODES = 256;

export function createPeerCountsMemory(): SharedArrayBuffer {
  return new SharedArrayBuffer((PEER_COUNTERS.length + NODES) * 8);
}

export class PeerCounts {
  private readonly numbers: Float64Array;

  constructor(memory: SharedArrayBuffer) {
    this.numbers = new Float64Array(memory);
  }

  add(counter: PeerCounter, count = 1): void {
    this.numbers[PEER_COUNTERS.indexOf(counter)] += count;
  }

  read(counter: PeerCounter): number {
    return this.numbers[PEER_COUNTERS.indexOf(counter)];
  }

  /** Whether a connection to a node is open. */
  isUp(node: number): boolean {
    return this.numbers[PEER_COUNTERS.length + node] === 1;
  }

  setUp(node: number, isUp: boolean): void {
    this.numbers[PEER_COUNTERS.length + node] = isUp ? 1 : 0;
  }
}
