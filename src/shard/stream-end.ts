// Connections as the main thread sees them: listeners by transport, messages into the shards' rings, answers back by flow,
// reading that waits while a ring is full. What each transport does with bytes is src/transport's.

import { createPeers, type Peers } from '../registrar/peers.ts';
import { TrustedSources } from '../registrar/trusted-sources.ts';
import { type FlowNumbers, Flows } from '../transport/flows.ts';
import { parseIp } from '../transport/ip-address.ts';
import type { ListenAddress } from '../transport/listen-address.ts';
import { LiveFlows } from '../transport/live-flows.ts';
import type { StreamEvents, StreamListener, StreamListenerOptions } from '../transport/stream-listener.ts';
import type { StreamPolicy } from '../transport/stream-policy.ts';
import { openTcpListener } from '../transport/tcp-listener.ts';
import type { TlsFiles } from '../transport/tls-files.ts';
import { openWebSocketListener } from '../transport/websocket.ts';
import type { HandshakeHook } from '../transport/websocket-handshake.ts';
import type { WebSocketPolicy } from '../transport/websocket-policy.ts';
import type { ShardLog } from './shard.ts';

/** How soon connections that had to wait for room in a ring are read on. */
const RESUME_MS = 5;

export interface StreamEndOptions {
  readonly shards: number;
  readonly policy: StreamPolicy;
  /** Bytes of one message. */
  readonly messageBytesMax: number;
  readonly numbers: FlowNumbers;
  readonly webSocket: WebSocketOptions;
  /** For listeners with TLS. */
  readonly tls?: TlsFiles;
}

export interface WebSocketOptions {
  readonly policy: WebSocketPolicy;
  readonly handshake?: HandshakeHook;
}

/** Puts a message into a shard's ring; false where that is full. */
type Push = (shard: number, bytes: Uint8Array, at: number, end: number, peers: Peers, row: number) => boolean;

export class StreamEnd implements StreamEvents {
  readonly flows: Flows;
  private readonly options: StreamEndOptions;
  private readonly push: Push;
  private readonly listeners: StreamListener[] = [];
  /** Flows that are not read because the ring of their shard was full. */
  private readonly stalled: number[] = [];
  private log: ShardLog = () => {};

  constructor(memory: SharedArrayBuffer, options: StreamEndOptions, push: Push) {
    this.options = options;
    this.push = push;
    this.flows = new Flows(new LiveFlows(memory), options.numbers, options.policy);
  }

  /** Binds what is no UDP among the addresses; gives all, with real ports. Rejects with the first that cannot be had. */
  async listen(addresses: readonly ListenAddress[], log: ShardLog): Promise<readonly ListenAddress[]> {
    this.log = log;
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
    if (this.push(shard, bytes, at, end, peers, this.flows.rowOf(token))) return true;
    if (this.stalled.push(token) === 1) setTimeout(() => this.resume(), RESUME_MS);
    return false;
  }

  closed(_token: number): void {}

  error(listener: number, error: Error): void {
    this.log('warn', 'listener error', { listener, error: error.message });
  }

  pause(): void {
    for (const listener of this.listeners) listener.pause();
  }

  async close(): Promise<void> {
    await Promise.all(this.listeners.map((listener) => listener.close()));
  }

  private async open(address: ListenAddress, listener: number): Promise<StreamListener> {
    const { policy, messageBytesMax } = this.options;
    const options = { address, listener, flows: this.flows, events: this, policy, messageBytesMax };
    const opened = await this.opened(options);
    this.listeners.push(opened);
    return opened;
  }

  private opened(options: StreamListenerOptions): StreamListener | Promise<StreamListener> {
    const { transport } = options.address;
    if (transport === 'tcp') return openTcpListener(options);
    if (transport === 'tls') throw new Error('tls is not in this version');
    const { webSocket, tls } = this.options;
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

  private resume(): void {
    for (const token of this.stalled.splice(0)) this.flows.resume(token);
  }
}
