// TCP listeners whose connections the shards read and write themselves (linux-tcp.ts): the main thread's part. It admits connections, closes
// silent, slow and ended ones, and closes descriptors once no shard can still use them.

import { formatIp } from '../../sip/ip.ts';
import type { Peers } from '../../sip/sources.ts';
import { every } from '../every.ts';
import {
  FLOW_BAD_FRAME,
  FLOW_CROWDED,
  FLOW_ENDED,
  FLOW_NOT_SIP,
  FLOW_UNREAD,
  type FlowRows,
} from '../flow/flow-rows.ts';
import type { Connection } from '../flow/flows.ts';
import type { StreamListener, StreamListenerOptions } from '../flow/stream-listener.ts';
import { type ListenAddress, TRANSPORT_CODE } from '../listener.ts';
import { monotonicMs } from '../monotonic.ts';
import * as abi from './linux-abi.ts';
import { armListener, watchConnection } from './linux-tcp.ts';
import { adoptListener, bindListener } from './listening-socket.ts';
import { setOption } from './native-udp.ts';

const SWEEP_MS = 1000;
/** Interval of work on closing connections. */
const FAREWELL_MS = 10;
/** Closing connections per round: some two milliseconds of work. */
const FAREWELLS_MAX = 256;
/** Time left for answers once the peer has sent its last byte, or bytes that cannot be read. */
const ANSWERS_MS = 10_000;
/** Time that a closing connection is still read: unread bytes at the close may cost the peer our last answers. */
const LINGER_MS = 2000;
/** Pause before a listener accepts again when there were no descriptors. */
const ACCEPT_AGAIN_MS = 100;
/** Pause before that is logged again. */
const TELL_AGAIN_MS = 10_000;

/** The parts that the listeners share. */
export interface NativeTcp {
  readonly calls: abi.Calls;
  /** Epoll descriptors, one per shard. */
  readonly epolls: readonly number[];
  readonly rows: FlowRows;
  /** Count of each shard's loop passes; in each pass the shard checks anew whether a flow is alive. */
  beats(): readonly number[];
}

/** A descriptor whose flow has ended. */
interface Farewell {
  readonly fd: number;
  /** Until then the peer's bytes are read and dropped, so that it reads our last answers. */
  readonly until: number;
  /** The shards' beats when the flow ended. */
  readonly beats: readonly number[];
}

export class NativeTcpListener implements StreamListener {
  readonly address: ListenAddress;
  private readonly options: StreamListenerOptions;
  private readonly native: NativeTcp;
  private readonly event = new abi.NativeMemory(16);
  private readonly scratch = new abi.NativeMemory(4096);
  private readonly connections = new Set<NativeConnection>();
  /** Connections that are not read any more; received requests are still answered. */
  private readonly ending = new Set<NativeConnection>();
  private readonly farewells: Farewell[] = [];
  private readonly sweeper: NodeJS.Timeout;
  private farewell: NodeJS.Timeout | undefined;
  private fd: number;
  private toldUntil = 0;
  private paused = false;
  private shardsAreGone = false;
  private allClosed: (() => void) | undefined;

  /** Binds; throws where the address cannot be bound. */
  constructor(options: StreamListenerOptions, native: NativeTcp) {
    this.options = options;
    this.native = native;
    const { fd, port } =
      options.inherited === undefined
        ? bindListener(native.calls, options.address)
        : adoptListener(native.calls, options);
    this.fd = fd;
    this.address = { ...options.address, port };
    this.arm(abi.EPOLL_CTL_ADD);
    this.sweeper = every(
      SWEEP_MS,
      () => this.sweep(Math.floor(monotonicMs() / 1000)),
      (error) => options.events.error(options.listener, error),
    );
  }

  /** A shard has accepted a connection, its peer the one row; or it could not, and `fd` is the negative errno. */
  accepted(fd: number, peer: Peers): void {
    const { options, native } = this;
    const { calls } = native;
    if (fd < 0) {
      this.tellOfWant(abi.errnoName(-fd));
      setTimeout(() => this.arm(abi.EPOLL_CTL_MOD), ACCEPT_AGAIN_MS).unref();
      return;
    }
    const connection = new NativeConnection(this, fd);
    connection.token =
      this.paused || !options.flows.mayKeep(fd)
        ? 0
        : options.flows.open(connection, {
            transport: TRANSPORT_CODE[options.address.transport],
            listener: options.listener,
            address: formatIp(peer.family[0], peer.ip, 0),
            port: peer.port[0],
            fd,
          });
    if (connection.token === 0) {
      calls.close(fd);
      return;
    }
    setOption(calls, fd, abi.IPPROTO_TCP, abi.TCP_NODELAY, 1);
    setOption(calls, fd, abi.SOL_SOCKET, abi.SO_SNDBUF, options.policy.unsentBytesMax);
    this.connections.add(connection);
    watchConnection(calls, this.epollOf(connection.token), fd, connection.token, this.event);
  }

  /** A shard found no descriptor for new connections: they have been closed, and it tries again soon. */
  private tellOfWant(errno: string): void {
    const { flows, events, listener } = this.options;
    flows.counts.refusedDescriptors++;
    const now = performance.now();
    if (now < this.toldUntil) return;
    this.toldUntil = now + TELL_AGAIN_MS;
    events.error(listener, new Error(`no connection can be taken: ${errno}`));
  }

  /** Notice of a shard about a connection. */
  news(connection: NativeConnection, what: number): void {
    const { counts } = this.options.flows;
    if (what === FLOW_UNREAD) counts.unread++;
    else if (what === FLOW_NOT_SIP) counts.notSip++;
    else if (what === FLOW_BAD_FRAME) counts.badFrame++;
    else if (what === FLOW_CROWDED) counts.crowded++;
    connection.isWatched = what === FLOW_UNREAD;
    connection.lingers = what === FLOW_BAD_FRAME || what === FLOW_NOT_SIP;
    // Complete messages from before are answered.
    const graceful = connection.lingers || what === FLOW_ENDED || what === FLOW_CROWDED;
    if (graceful && this.unanswered(connection) > 0) this.finish(connection);
    else this.end(connection);
  }

  /** Reads no more; received requests are still answered. */
  finish(connection: NativeConnection): void {
    connection.endsAt = monotonicMs() + ANSWERS_MS;
    this.ending.add(connection);
    this.look();
  }

  pause(): void {
    if (this.paused) return;
    this.paused = true;
    const { calls, epolls } = this.native;
    // An inherited socket is open elsewhere, too: closing it would not remove it from the epoll set.
    calls.epoll_ctl(epolls[this.options.listener % epolls.length], abi.EPOLL_CTL_DEL, this.fd, this.event.address);
    calls.close(this.fd);
    this.fd = -1;
  }

  /** The shards have ended: their last messages have been sent. */
  async close(): Promise<void> {
    this.pause();
    clearInterval(this.sweeper);
    this.shardsAreGone = true;
    for (const connection of this.connections) {
      connection.lingers = true;
      this.end(connection);
    }
    if (this.farewells.length === 0) return;
    await new Promise<void>((resolve) => {
      this.allClosed = resolve;
    });
  }

  /** A shard has died: messages that it had partly read, or not answered yet, are lost, and over TCP nobody repeats them. */
  bury(shard: number, shards: number): void {
    const { rows } = this.native;
    for (const connection of this.connections) {
      if (connection.token % shards !== shard) continue;
      const row = this.options.flows.rowOf(connection.token);
      if (rows.messageSince[row] !== 0 || rows.unanswered[row] > 0) this.end(connection);
    }
  }

  private arm(operation: number): void {
    if (this.fd < 0) return;
    const { calls, epolls } = this.native;
    const { listener } = this.options;
    armListener(calls, operation, epolls[listener % epolls.length], this.fd, listener, this.event);
  }

  private epollOf(token: number): number {
    const { epolls } = this.native;
    return epolls[token % epolls.length];
  }

  private unanswered(connection: NativeConnection): number {
    return Atomics.load(this.native.rows.unanswered, this.options.flows.rowOf(connection.token));
  }

  private end(connection: NativeConnection): void {
    const { flows, events } = this.options;
    const { calls } = this.native;
    const { fd, token } = connection;
    this.ending.delete(connection);
    if (!this.connections.delete(connection) || !flows.ended(token)) return;
    if (connection.isWatched) {
      calls.epoll_ctl(this.epollOf(token), abi.EPOLL_CTL_DEL, fd, this.event.address);
      calls.shutdown(fd, connection.lingers ? abi.SHUT_WR : abi.SHUT_RDWR);
    } else if (connection.lingers) calls.shutdown(fd, abi.SHUT_WR);
    const until = connection.lingers ? monotonicMs() + LINGER_MS : 0;
    this.farewells.push({ fd, until, beats: this.native.beats() });
    events.closed(token);
    this.look();
  }

  private look(): void {
    this.farewell ??= setTimeout(() => this.lookAfter(), FAREWELL_MS);
  }

  private lookAfter(): void {
    this.farewell = undefined;
    const now = monotonicMs();
    for (const connection of this.ending)
      if (now >= connection.endsAt || this.unanswered(connection) <= 0) this.end(connection);
    const beats = this.native.beats();
    for (const farewell of this.farewells.splice(0, FAREWELLS_MAX)) {
      const free = this.shardsAreGone || farewell.beats.every((beat, shard) => beats[shard] > beat);
      if (!free || (now < farewell.until && !this.isRead(farewell.fd))) this.farewells.push(farewell);
      else this.native.calls.close(farewell.fd);
    }
    if (this.farewells.length > 0 || this.ending.size > 0) this.look();
    else this.allClosed?.();
  }

  /** Whether the peer has sent its last byte; reads and drops bytes. */
  private isRead(fd: number): boolean {
    const { calls } = this.native;
    const { address, bytes } = this.scratch;
    const got = calls.recv(fd, address, bytes.length, abi.MSG_DONTWAIT);
    return got === 0 || (got < 0 && calls.errno() !== abi.EAGAIN);
  }

  private sweep(now: number): void {
    const { policy, flows } = this.options;
    const { heardAt, messageSince } = this.native.rows;
    for (const connection of this.connections) {
      if (connection.endsAt > 0) continue;
      const row = flows.rowOf(connection.token);
      const slow = messageSince[row] > 0 && (now - messageSince[row]) * 1000 > policy.messageMs;
      if (!slow && (now - heardAt[row]) * 1000 <= policy.idleMs) continue;
      flows.counts[slow ? 'slow' : 'idle']++;
      this.end(connection);
    }
  }
}

export class NativeConnection implements Connection {
  token = 0;
  /** When it closes, answered or not; 0: it stays open. */
  endsAt = 0;
  /** Whether a shard still waits for its bytes. */
  isWatched = true;
  /** Whether its peer is given time to read our last answers. */
  lingers = false;
  readonly fd: number;
  readonly listener: NativeTcpListener;

  constructor(listener: NativeTcpListener, fd: number) {
    this.listener = listener;
    this.fd = fd;
  }

  /** The shards send. */
  send(): boolean {
    return false;
  }

  resume(): void {}

  close(): void {
    this.listener.finish(this);
  }
}
