// The table of live connections of every transport: token → connection, its peer, the number of connections and its limits.
// It knows no socket and no SIP; listeners open and end flows, answers find their connection here.

import { parseIp } from '../../sip/ip.ts';
import { ANSWERED_BY_MAIN, ANSWERED_BY_MAIN_TRUSTED, type Peers, TRANSPORT_NAMES } from '../../sip/sources.ts';
import { Descriptors } from '../linux/descriptors.ts';
import { monotonicMs } from '../monotonic.ts';
import { createFlowRows, type FlowRows } from './flow-rows.ts';
import { type FlowNumbers, FlowTokens } from './flow-tokens.ts';
import type { LiveFlows } from './live-flows.ts';
import type { StreamPolicy } from './stream-policy.ts';

/** A connection as the table knows it. */
export interface Connection {
  /** Sends a copy of bytes[at, end); false where it cannot: the connection closes, or its peer does not read. */
  send(bytes: Uint8Array, at: number, end: number): boolean;
  /** The ring has space again for the message that `StreamEvents.message` refused. */
  resume(): void;
  /** Closes the connection; bytes written before still leave. */
  close(): void;
}

/** The peer of a connection. */
export interface FlowSource {
  /** TRANSPORT_*. */
  readonly transport: number;
  /** Index of the listener in the configuration. */
  readonly listener: number;
  /** IPv4 or IPv6, as Node gives it. */
  readonly address: string | undefined;
  readonly port: number | undefined;
  /** Its descriptor, where the shards read and write it themselves. */
  readonly fd?: number;
}

/** Totals since the start; `open` is a gauge. */
export interface FlowCounts {
  open: number;
  opened: number;
  /** By TRANSPORT_*: connections open now, and connections opened since the start. */
  readonly openBy: number[];
  readonly openedBy: number[];
  /** Refused: the limit of connections, in all or from their source, was reached. */
  refusedTotal: number;
  refusedSource: number;
  /** Refused: too few descriptors were left, or no number could be reserved. */
  refusedDescriptors: number;
  /** Closed by us: silent for too long, a message that took too long to arrive, answers that were not read. */
  idle: number;
  slow: number;
  unread: number;
  /** Closed because the bytes could not be read: no SIP at all, or no usable length. */
  notSip: number;
  badFrame: number;
  /** Closed because its half message was the oldest when the budget for half messages was spent. */
  crowded: number;
  tlsFailed: number;
  /** Double CRLFs received. */
  pings: number;
  /** Bytes between messages that were neither double CRLFs nor SIP, and were skipped. */
  skippedBytes: number;
}

export class Flows {
  /** Row of a flow: see `rowOf`. */
  readonly peers: Peers;
  readonly counts: FlowCounts = {
    open: 0,
    opened: 0,
    openBy: new Array(TRANSPORT_NAMES.length).fill(0),
    openedBy: new Array(TRANSPORT_NAMES.length).fill(0),
    refusedTotal: 0,
    refusedSource: 0,
    refusedDescriptors: 0,
    idle: 0,
    slow: 0,
    unread: 0,
    notSip: 0,
    badFrame: 0,
    crowded: 0,
    tlsFailed: 0,
    pings: 0,
    skippedBytes: 0,
  };
  private readonly live: LiveFlows;
  private readonly policy: StreamPolicy;
  private readonly rows: FlowRows;
  private readonly connections: (Connection | undefined)[] = [];
  private readonly perSource = new Map<string, number>();
  private readonly tokens: FlowTokens;
  private readonly descriptors = new Descriptors();
  private readonly scratch = new Uint8Array(16);

  constructor(live: LiveFlows, numbers: FlowNumbers, policy: StreamPolicy, rows = createFlowRows(live.slots)) {
    this.live = live;
    this.rows = rows;
    this.policy = policy;
    this.tokens = new FlowTokens(numbers);
    this.peers = rows.peers;
  }

  /**
   * Whether there is capacity for one more connection from this address, beside `pending` ones without a flow,
   * `pendingHere` of them from this address. A refusal is counted.
   */
  hasCapacity(address: string, pending: number, pendingHere: number): boolean {
    const { counts, policy, live, scratch } = this;
    if (counts.open + pending >= Math.min(policy.connectionsMax, live.slots >> 1)) {
      counts.refusedTotal++;
      return false;
    }
    const family = parseIp(address, scratch, 0);
    if ((this.perSource.get(sourceKey(scratch, 0, family)) ?? 0) + pendingHere < policy.connectionsPerSourceMax)
      return true;
    counts.refusedSource++;
    return false;
  }

  /** Whether a connection may keep its descriptor. A refusal is counted. @param fd where it is known */
  mayKeep(fd?: number): boolean {
    if (this.descriptors.hasCapacity('phone', fd)) return true;
    this.counts.refusedDescriptors++;
    return false;
  }

  /** The token of a new connection, never 0; 0 where the limit is reached, in all or from this source. */
  open(connection: Connection, source: FlowSource): number {
    const { counts, peers } = this;
    const address = (source.address ?? '').split('%', 1)[0];
    if (!this.hasCapacity(address, 0, 0)) return 0;
    const token = this.newToken();
    if (token === 0) return 0;
    const row = this.rowOf(token);
    const family = parseIp(address, peers.ip, row << 4);
    if (family === 0) return 0; // closed already
    const key = sourceKey(peers.ip, row << 4, family);
    this.perSource.set(key, (this.perSource.get(key) ?? 0) + 1);
    peers.family[row] = family;
    peers.port[row] = source.port ?? 0;
    peers.transport[row] = source.transport;
    peers.listener[row] = source.listener;
    peers.flow[row] = token;
    peers.answeredByMain[row] = source.fd === undefined ? ANSWERED_BY_MAIN : 0;
    if (source.fd !== undefined) this.beginRow(row, source.fd);
    this.connections[row] = connection;
    counts.open++;
    counts.opened++;
    counts.openBy[source.transport]++;
    counts.openedBy[source.transport]++;
    this.live.begin(token);
    return token;
  }

  /** The connection of a live flow. */
  find(token: number): Connection | undefined {
    return this.live.isAlive(token) ? this.connections[this.rowOf(token)] : undefined;
  }

  /** Row of `peers` that describes a live flow. */
  rowOf(token: number): number {
    return token & (this.live.slots - 1);
  }

  /** Whether the connection is open. */
  isAlive(token: number): boolean {
    return this.live.isAlive(token);
  }

  /** Sends bytes[at, end) to the peer; false where the flow has ended or accepts no more. */
  send(token: number, bytes: Uint8Array, at: number, end: number): boolean {
    return this.find(token)?.send(bytes, at, end) ?? false;
  }

  /** The peer has proved to be one of ours, which may speak for users (sources.ts). */
  vouch(token: number): void {
    if (this.live.isAlive(token)) this.peers.answeredByMain[this.rowOf(token)] = ANSWERED_BY_MAIN_TRUSTED;
  }

  resume(token: number): void {
    this.find(token)?.resume();
  }

  close(token: number): void {
    this.find(token)?.close();
  }

  /** The listener reports that the connection is closed. False where that was known. */
  ended(token: number): boolean {
    if (!this.live.isAlive(token)) return false;
    const row = this.rowOf(token);
    this.live.end(token);
    this.connections[row] = undefined;
    const key = sourceKey(this.peers.ip, row << 4, this.peers.family[row]);
    const left = (this.perSource.get(key) ?? 1) - 1;
    if (left === 0) this.perSource.delete(key);
    else this.perSource.set(key, left);
    this.counts.open--;
    this.counts.openBy[this.peers.transport[row]]--;
    return true;
  }

  private beginRow(row: number, fd: number): void {
    const { rows } = this;
    rows.fd[row] = fd;
    rows.heardAt[row] = Math.floor(monotonicMs() / 1000);
    rows.messageSince[row] = 0;
    Atomics.store(rows.unanswered, row, 0);
  }

  /** 0 where no token is available because the numbers' file cannot be written; `Connections` logs it. */
  private newToken(): number {
    try {
      for (;;) {
        const token = this.tokens.next();
        if (this.live.isFree(token)) return token;
      }
    } catch {
      this.counts.refusedDescriptors++;
      return 0;
    }
  }
}

/** An IPv4 address, or an IPv6 /64, as a key: one character per byte. */
function sourceKey(ip: Uint8Array, at: number, family: number): string {
  return String.fromCharCode(...ip.subarray(at, at + (family === 4 ? 4 : 8)));
}
