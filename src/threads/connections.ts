// Connections as the main thread has them: listeners by transport, messages into the shards' rings, answers back by flow. Reading waits while a
// ring is full. src/transport does each transport's work on bytes.

import { TrustedSources } from '../core/abuse/trusted-sources.ts';
import { COUNTER } from '../shard/observe/counters.ts';
import type { ShardLog } from '../shard/shard-options.ts';
import { parseIp } from '../sip/ip.ts';
import { createPeers, type Peers } from '../sip/sources.ts';
import type { FlowNumbers } from '../transport/flow/flow-tokens.ts';
import { Flows } from '../transport/flow/flows.ts';
import { HalfMessages } from '../transport/flow/half-messages.ts';
import { LiveFlows } from '../transport/flow/live-flows.ts';
import { Paced } from '../transport/flow/paced.ts';
import type {
  HalfConnection,
  StreamEvents,
  StreamListener,
  StreamListenerOptions,
} from '../transport/flow/stream-listener.ts';
import { type FramingLimits, framingLimits, type StreamPolicy } from '../transport/flow/stream-policy.ts';
import { type InheritedSocket, socketsFor } from '../transport/linux/inherited-sockets.ts';
import { NativeConnection, type NativeTcp, NativeTcpListener } from '../transport/linux/native-tcp.ts';
import type { ListenAddress } from '../transport/listener.ts';
import { TcpDialer } from '../transport/node/tcp-dialer.ts';
import { openTcpListener } from '../transport/node/tcp-listener.ts';
import type { TlsFiles } from '../transport/node/tls-files.ts';
import { openTlsListener } from '../transport/node/tls-listener.ts';
import type { HandshakeHook } from '../transport/websocket/websocket-handshake.ts';
import { openWebSocketListener } from '../transport/websocket/websocket-listener.ts';
import type { WebSocketPolicy } from '../transport/websocket/websocket-policy.ts';
import type { SharedParts } from './shared-parts.ts';

/** Pause before reading resumes on connections that waited for a full ring. */
const RESUME_MS = 5;
const ENDED_PER_MESSAGE = 2048;

export interface ConnectionsOptions {
  readonly shards: number;
  readonly policy: StreamPolicy;
  /** Bytes of one message. */
  readonly messageBytesMax: number;
  readonly numbers: FlowNumbers;
  readonly webSocket: WebSocketOptions;
  /** For listeners with TLS. */
  readonly tls?: TlsFiles;
  /** In a cluster: number of this node. One further ring takes news of closed connections to the other nodes. */
  readonly node?: number;
  /** For TCP and TLS. */
  readonly inherited?: readonly InheritedSocket[];
}

export interface WebSocketOptions {
  readonly policy: WebSocketPolicy;
  readonly handshake?: HandshakeHook;
}

/** Calls into a shard's ring; false where it is full. */
export interface ShardRings {
  message(shard: number, bytes: Uint8Array, at: number, end: number, peers: Peers, row: number): boolean;
  /** Tokens as RING_FLOWS_ENDED has them. */
  ended(shard: number, tokens: Uint8Array): boolean;
  /** A request of the shard's own has found no connection; the row is its peer's. */
  notSent(shard: number, request: Uint8Array, peer: Peers): void;
}

export type StreamParts = Pick<SharedParts, 'native' | 'epolls' | 'flowRows' | 'liveFlows' | 'counters'>;

export class Connections implements StreamEvents {
  readonly flows: Flows;
  /** Limits of this thread, and of each shard that reads connections. */
  readonly framing: FramingLimits;
  /** Listeners and connections read it at every use, so that a change counts at once. */
  private readonly policy: StreamPolicy;
  private readonly options: ConnectionsOptions;
  private readonly halves: HalfMessages<HalfConnection>;
  private readonly rings: ShardRings;
  /** Opens connections for the shards' own requests. */
  readonly dialer: TcpDialer;
  private readonly listeners: StreamListener[] = [];
  private addresses: readonly ListenAddress[] = [];
  /** Present where shards read and write TCP themselves. */
  private readonly native: NativeTcp | undefined;
  private readonly nativeListeners: NativeTcpListener[] = [];
  /** Flows not read because their shard's ring was full. */
  private readonly stalled: number[] = [];
  /** Closed flows that a shard has not been told of, by shard. */
  private readonly endings: EndedFlows[];
  private endingsPending = false;
  private readonly newsOfFlows = new Paced<{ readonly token: number; readonly what: number }>(({ token, what }) => {
    const connection = this.flows.find(token);
    if (connection instanceof NativeConnection) connection.listener.news(connection, what);
  });
  private log: ShardLog = () => {};

  constructor(parts: StreamParts, options: ConnectionsOptions, rings: ShardRings) {
    const { native, epolls, flowRows: rows, counters } = parts;
    if (native !== null && epolls.length > 0) {
      const loops = counters.map((memory) => new Float64Array(memory, COUNTER.loops * 8, 1));
      this.native = { calls: native.calls, epolls, rows, beats: () => loops.map(([beat]) => beat) };
    }
    this.policy = { ...options.policy };
    this.options = options;
    this.framing = framingLimits(this.policy, epolls.length > 0 ? options.shards + 1 : 1);
    this.halves = new HalfMessages(this.framing.incompleteBytesMax, (connection) => connection.crowdedOut());
    this.rings = rings;
    this.endings = Array.from(
      { length: options.shards + (options.node === undefined ? 0 : 1) },
      () => new EndedFlows(),
    );
    this.dialer = new TcpDialer({
      listener: (index) => this.listenerOptions(index),
      refused: (...request) => rings.notSent(...request),
    });
    this.flows = new Flows(new LiveFlows(parts.liveFlows), this.heard(options.numbers), this.policy, rows);
  }

  /** Binds all addresses but UDP ones; returns all, with real ports. Rejects with the first that cannot be bound. */
  async listen(addresses: readonly ListenAddress[], log: ShardLog): Promise<readonly ListenAddress[]> {
    this.log = log;
    this.addresses = addresses;
    const bound: ListenAddress[] = [];
    for (const [listener, address] of addresses.entries()) {
      if (address.transport === 'udp') bound.push(address);
      else bound.push((await this.open(address, listener)).address);
    }
    return bound;
  }

  message(token: number, bytes: Uint8Array, at: number, end: number): boolean {
    const { peers } = this.flows;
    const shard = token % this.options.shards;
    if (this.rings.message(shard, bytes, at, end, peers, this.flows.rowOf(token))) return true;
    if (this.stalled.push(token) === 1) setTimeout(() => this.resume(), RESUME_MS);
    return false;
  }

  /** A shard has accepted a connection: its descriptor is in `bytes`, its peer is the one row. */
  accepted(bytes: Uint8Array, peers: Peers): void {
    this.nativeListeners[peers.listener[0]]?.accepted(wordAt(bytes, 0), peers);
  }

  /** Notices of a shard about the connections that it reads. */
  news(bytes: Uint8Array, length: number): void {
    for (let at = 0; at < length; at += 8)
      this.newsOfFlows.add({ token: wordAt(bytes, at) >>> 0, what: wordAt(bytes, at + 4) });
  }

  /** A shard has died. */
  bury(shard: number): void {
    for (const listener of this.nativeListeners) listener?.bury(shard, this.options.shards);
  }

  closed(token: number): void {
    for (const ended of this.endings) ended.add(token);
    if (this.endingsPending) return;
    this.endingsPending = true;
    setImmediate(() => this.tellOfEnded());
  }

  error(listener: number, error: Error): void {
    this.log('warn', 'listener error', { listener, error: error.message });
  }

  notice(event: string, fields: Record<string, unknown>): void {
    this.log('info', event, fields);
  }

  configure(policy: StreamPolicy): void {
    Object.assign(this.policy, policy);
  }

  /** Listeners with TLS read their certificates again. */
  reload(): void {
    for (const listener of this.listeners) listener.reload?.();
  }

  pause(): void {
    this.dialer.pause();
    for (const listener of this.listeners) listener.pause();
  }

  async close(): Promise<void> {
    this.newsOfFlows.finish();
    await Promise.all([this.dialer.close(), ...this.listeners.map((listener) => listener.close())]);
  }

  private heard(numbers: FlowNumbers): FlowNumbers {
    const reserve = () => {
      try {
        numbers.reserve();
      } catch (error) {
        this.log('error', 'no numbers for new connections', { error: String(error) });
        throw error;
      }
    };
    return { first: numbers.first, step: numbers.step, reserve };
  }

  private async open(address: ListenAddress, listener: number): Promise<StreamListener> {
    const [inherited] = socketsFor(this.options.inherited ?? [], address);
    const given = inherited === undefined ? {} : { inherited };
    const opened = await this.opened({ ...this.shared(address, listener), ...given });
    this.listeners.push(opened);
    return opened;
  }

  private shared(address: ListenAddress, listener: number): StreamListenerOptions {
    const { flows, policy, halves } = this;
    return { address, listener, flows, events: this, policy, halves, messageBytesMax: this.options.messageBytesMax };
  }

  /** Options for connections that we open beside a listener's datagrams. */
  private listenerOptions(listener: number): StreamListenerOptions | undefined {
    const address = this.addresses[listener];
    return address && this.shared({ ...address, transport: 'tcp' }, listener);
  }

  /** Tells each shard of all closed flows: a connection may carry the AORs of many. */
  private tellOfEnded(): void {
    this.endingsPending = false;
    let left = false;
    for (const [shard, ended] of this.endings.entries()) left = !ended.tell(this.rings, shard) || left;
    if (!left) return;
    this.endingsPending = true;
    setTimeout(() => this.tellOfEnded(), RESUME_MS);
  }

  private opened(options: StreamListenerOptions): StreamListener | Promise<StreamListener> {
    const { transport } = options.address;
    if (transport === 'tcp') return this.openTcp(options);
    const { webSocket, tls } = this.options;
    if (transport === 'tls') {
      if (tls === undefined) throw new Error('a TLS listener needs a certificate and its key');
      return openTlsListener({ ...options, tls });
    }
    const proxies = new TrustedSources(webSocket.policy.trustedProxies);
    return openWebSocketListener({
      ...options,
      webSocket: webSocket.policy,
      ...(transport === 'wss' && tls && { tls }),
      ...(webSocket.handshake && { handshake: webSocket.handshake }),
      trustsProxy: (address) => {
        const peer = createPeers(1);
        peer.family[0] = parseIp(address, peer.ip, 0);
        return proxies.trusts(peer, 0);
      },
    });
  }

  private openTcp(options: StreamListenerOptions): StreamListener | Promise<StreamListener> {
    if (this.native === undefined) return openTcpListener(options);
    const opened = new NativeTcpListener(options, this.native);
    this.nativeListeners[options.listener] = opened;
    return opened;
  }

  private resume(): void {
    for (const token of this.stalled.splice(0)) this.flows.resume(token);
  }
}

function wordAt(bytes: Uint8Array, at: number): number {
  return bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24);
}

/** Tokens of closed flows that one shard is to be told of. */
class EndedFlows {
  private bytes = new Uint8Array(ENDED_PER_MESSAGE * 4);
  private length = 0;

  add(token: number): void {
    if (this.length === this.bytes.length) {
      const larger = new Uint8Array(this.length * 2);
      larger.set(this.bytes);
      this.bytes = larger;
    }
    for (let shift = 0; shift < 32; shift += 8) this.bytes[this.length++] = token >>> shift;
  }

  /** Puts all tokens into the shard's ring; false where the ring is full before. */
  tell(rings: ShardRings, shard: number): boolean {
    let at = 0;
    while (at < this.length) {
      const end = Math.min(this.length, at + ENDED_PER_MESSAGE * 4);
      if (!rings.ended(shard, this.bytes.subarray(at, end))) break;
      at = end;
    }
    this.bytes.copyWithin(0, at, this.length);
    this.length -= at;
    return this.length === 0;
  }
}
